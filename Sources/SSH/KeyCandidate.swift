import Platform

/// A key that may be offered, and who holds its private half.
struct KeyCandidate {
  enum Holder {
    case caller(SigningIdentity)
    /// The agent, which knows it by this public key.
    case agent([UInt8])
    case file(KeyFile, certificate: PublicKeyLine?)
  }

  /// As the user knows it: a path, or the agent's comment.
  var name: String
  /// What is offered: a public key or a certificate; nil where libssh2 has to derive it.
  var blob: [UInt8]?
  var holder: Holder
  /// The user named it, by its file or its certificate's.
  var isNamed: Bool

  var type: String {
    if let blob { return HostKey(blob: blob).type }
    if case .file(let file, _) = holder, file.isRSA { return "ssh-rsa" }
    return ""
  }

  /// What libssh2 1.10 cannot do: RSA with SHA-2, and certificates of any kind but ECDSA.
  var needsNewLibrary: Bool {
    type.hasPrefix("ssh-rsa")
      || type.hasSuffix("-cert-v01@openssh.com") && !type.hasPrefix("ecdsa-")
  }

  /// The public key inside a certificate.
  var certifiedKey: [UInt8]? { blob.flatMap(PublicKeyLine.certifiedKey) }

  /// Type, fingerprint and where it comes from, as ssh says it at `-v`.
  func summary(_ hash: FingerprintHash) -> String {
    var words: [String] = []
    if let blob {
      // A certificate goes by its key.
      let key = HostKey(blob: certifiedKey ?? blob)
      words = [key.typeName + (certifiedKey == nil ? "" : "-CERT"), key.fingerprint(hash)]
    }
    if isNamed { words.append("explicit") }
    if case .agent(let key) = holder, key == blob { words.append("agent") }
    return words.joined(separator: " ")
  }
}

extension Authenticator {
  /// Every key of the plan, in the order to try, which is ssh's (`pubkey_prepare`): the caller's
  /// own, certificates by `CertificateFile`, the agent's keys that a file names, the agent's others,
  /// then what only the files hold. Within each, agent's keys are in the agent's order.
  ///
  /// The first that the server takes decides who one is there, and each counts as one of the
  /// server's tries.
  func collectKeys() throws(Failure) -> [KeyCandidate] {
    let held = try agentKeys()
    var files = plan.identities.flatMap { candidates(of: $0) }
    var named: [KeyCandidate] = []
    var others: [KeyCandidate] = []
    for key in held {
      if let index = files.firstIndex(where: { $0.blob == key.blob }) {
        var candidate = files.remove(at: index)
        candidate.holder = .agent(key.blob)
        named.append(candidate)
      } else if !plan.identitiesOnly {
        others.append(
          KeyCandidate(
            name: key.comment.isEmpty ? "key of the agent" : key.comment, blob: key.blob,
            holder: .agent(key.blob), isNamed: false))
      }
    }
    let own = plan.signers.map {
      KeyCandidate(name: $0.name, blob: $0.blob, holder: .caller($0), isNamed: true)
    }
    let all = named + others + files
    var seen: Set<[UInt8]> = []
    let keys = (own + certificates(all) + all).compactMap { candidate -> KeyCandidate? in
      var candidate = candidate
      // A certificate beside a key file is signed for by the agent that holds the plain key.
      if case .file = candidate.holder, let inner = candidate.certifiedKey,
        let agent = (named + others).first(where: { $0.blob == inner })
      {
        candidate.holder = agent.holder
      }
      // Half a key file, and the agent has not the other half.
      if case .file(let file, _) = candidate.holder, file.privateKey == nil { return nil }
      if let blob = candidate.blob, !seen.insert(blob).inserted { return nil }
      return candidate
    }
    return keys.filter { key in
      guard let problem = unfitness(type: key.type, key.blob) else {
        log.debug1("Will attempt key: \(key.name) \(key.summary(log.fingerprintHash))")
        return true
      }
      log.debug1(
        "Skipping key: \(key.name) \(key.summary(log.fingerprintHash)) - \(problem)")
      unusable.append("\(key.name): \(problem)")
      return false
    }
  }

  /// What a key file may log in with: its key, and the certificate beside it, unless
  /// `CertificateFile` names others.
  private func candidates(of identity: AuthenticationPlan.IdentityFile) -> [KeyCandidate] {
    guard let file = load(identity) else { return [] }
    var found = [
      KeyCandidate(
        name: file.path, blob: file.publicBlob, holder: .file(file, certificate: nil),
        isNamed: identity.isExplicit)
    ]
    if plan.certificates.isEmpty, !file.path.hasSuffix(".pub"),
      let line = PublicKeyLine(file: file.path + "-cert.pub"), line.isCertificate,
      // Where the file does not tell its public key, its neighbour's name has to do.
      file.publicBlob == nil || line.certifiedKey == file.publicBlob
    {
      found.append(
        KeyCandidate(
          name: file.path, blob: line.blob, holder: .file(file, certificate: line),
          isNamed: identity.isExplicit))
    }
    return found
  }

  /// The certificates of `CertificateFile` for which one of the keys can sign.
  private func certificates(_ keys: [KeyCandidate]) -> [KeyCandidate] {
    plan.certificates.compactMap { path in
      guard let line = PublicKeyLine(file: path), line.isCertificate else {
        log.note("\(printable(path, limit: 500)): not a certificate that can be read")
        return nil
      }
      guard let inner = line.certifiedKey, let key = keys.first(where: { $0.blob == inner }) else {
        log.debug1("\(path): no private key for this certificate")
        return nil
      }
      var candidate = KeyCandidate(name: path, blob: line.blob, holder: key.holder, isNamed: true)
      if case .file(let file, _) = key.holder {
        candidate.holder = .file(file, certificate: line)
      }
      return candidate
    }
  }

  private func agentKeys() throws(Failure) -> [AgentClient.Identity] {
    guard let path = plan.agentSocket else { return [] }
    do throws(AgentClient.Problem) {
      let agent = try AgentClient(path: path)
      if let binding = session.binding { try agent.bind(binding) }
      let keys = try agent.identities()
      log.debug1("agent at \(path) holds \(keys.count) keys")
      return keys
    } catch {
      if error == .interrupted {
        throw Failure(.interrupted, what: "interrupted during authentication")
      }
      log.debug1("agent at \(path): \(error)")
      return []
    }
  }

  private func load(_ identity: AuthenticationPlan.IdentityFile) -> KeyFile? {
    do throws(KeyFile.Problem) {
      let file = try KeyFile(path: identity.path)
      log.debug1("identity file \(file.path)\(file.isEncrypted ? " (encrypted)" : "")")
      return file
    } catch {
      let path = printable(identity.path, limit: 500)
      switch error {
      case .missing:
        if identity.isExplicit {
          log.information(
            "Warning: Identity file \(path) not accessible: No such file or directory.")
          unusable.append("\(path) does not exist")
        }
      case .unreadable(let error):
        log.note("Load key \"\(path)\": \(error)")
        unusable.append("\(path): \(error)")
      case .tooOpen(let mode):
        Self.tooOpenWarning(path, mode: mode).forEach(log.note)
        unusable.append("\(path) is readable by others (chmod 600 it)")
      case .unknownFormat:
        log.note("Load key \"\(path)\": invalid format")
        unusable.append("\(path) is not a private key that can be read")
      }
      return nil
    }
  }

  static func tooOpenWarning(_ path: String, mode: UInt32) -> [String] {
    let octal = String(mode & 0o7777, radix: 8)
    let rule = String(repeating: "@", count: 59)
    return [
      rule, "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @", rule,
      "Permissions \(String(repeating: "0", count: max(0, 4 - octal.count)) + octal) for "
        + "'\(path)' are too open.",
      "It is required that your private key files are NOT accessible by others.",
      "This private key will be ignored.", "Load key \"\(path)\": bad permissions",
    ]
  }
}
