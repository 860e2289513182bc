import Platform

extension Authenticator {
  /// Why a key is not to be offered, whoever holds it; nil where it may be.
  ///
  /// - Parameter blob: the public key or certificate, where it is known.
  func unfitness(type: String, _ blob: [UInt8]?) -> String? {
    if let blob, KeyStrength.isTooShort(blob, minimum: plan.requiredRSASize) {
      return "RSA key of fewer than \(plan.requiredRSASize) bits (RequiredRSASize)"
    }
    // Where only the private half tells, it is judged when that is opened.
    if !type.isEmpty, algorithm(for: type) == nil {
      return "no mutual signature algorithm (PubkeyAcceptedAlgorithms)"
    }
    return nil
  }

  /// The same for a key file that does not tell its public half before it is opened.
  func isUnfit(_ candidate: KeyCandidate, opened passphrase: SecretBytes?) -> Bool {
    guard candidate.blob == nil, case .file(let file, _) = candidate.holder,
      let privateKey = file.privateKey,
      let blob = OpenedKey(privateKey, passphrase: passphrase)?.publicBlob,
      let problem = unfitness(type: HostKey(blob: blob).type, blob)
    else { return false }
    log.debug1("Skipping key: \(candidate.name) - \(problem)")
    let words = "\(candidate.name): \(problem)"
    if !unusable.contains(words) { unusable.append(words) }
    return true
  }

  /// What a key of that type signs with; nil where nothing is allowed.
  private func algorithm(for type: String) -> String? {
    guard let accepted = plan.acceptedAlgorithms else { return type }
    // What an older library lacks is told by that name, not as a matter of settings.
    if type.hasPrefix("ssh-rsa"), !SessionHandle.canUseRSA { return type }
    return KeyStrength.algorithm(
      for: type, accepted: accepted, server: session.context.serverSignatureAlgorithms)
  }

  /// Tells libssh2 what an RSA key signs with, which it settles anew for each key.
  func chooseAlgorithm(for candidate: KeyCandidate) {
    guard plan.acceptedAlgorithms != nil, SessionHandle.canUseRSA else { return }
    // A file whose kind shows only when it is opened may be one too.
    let type = candidate.type.isEmpty ? "ssh-rsa" : candidate.type
    guard type.hasPrefix("ssh-rsa"), let name = algorithm(for: type) else { return }
    // It knows the plain names, and puts a certificate's ending behind them itself.
    let plain = name.replacing("-cert-v01@openssh.com", with: "")
    do throws(LibraryError) {
      try session.handle.prefer(plain, for: .signature)
    } catch {
      log.debug1("the choice of \(plain): \(error.message)")
    }
  }
}
