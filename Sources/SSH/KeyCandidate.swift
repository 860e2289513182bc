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

  var type: String {
    if let blob { return HostKey(blob: blob).type }
    if case .file(let file, _) = holder, file.isRSA { return "ssh-rsa" }
    return ""
  }

  var isEncryptedFile: Bool {
    if case .file(let file, _) = holder { file.isEncrypted } else { false }
  }

  /// What libssh2 1.10 cannot do: RSA with SHA-2, and certificates of any kind but ECDSA.
  var needsNewLibrary: Bool {
    type.hasPrefix("ssh-rsa")
      || type.hasSuffix("-cert-v01@openssh.com") && !type.hasPrefix("ecdsa-")
  }

  /// Type and fingerprint, for `-v`.
  var summary: String {
    guard let blob else { return "" }
    return "\(HostKey(blob: blob).typeName) \(HostKey.fingerprint(of: blob))"
  }
}

extension Authenticator {
  /// Every key of the plan, in the order to try: the caller's own, what the user named, what the
  /// agent offers by itself, then the rest of the files.
  ///
  /// Files are in ssh's order among themselves: the first that the server takes decides who one is
  /// there. Those that need no question come before the agent's other keys, which ssh tries first
  /// and which may use up the server's tries.
  func collectKeys() throws(Failure) -> [KeyCandidate] {
    let held = try agentKeys()
    var named: [KeyCandidate] = []
    var rest: [KeyCandidate] = []
    var seen: Set<[UInt8]> = []
    let certificates = plan.certificates.compactMap { path -> (String, PublicKeyLine)? in
      guard let line = PublicKeyLine(file: path), line.isCertificate else {
        log.note("\(path): not a certificate that can be read")
        return nil
      }
      return (path, line)
    }
    var usedCertificates: Set<[UInt8]> = []

    for identity in plan.identities {
      guard let file = load(identity) else { continue }
      var lines = certificates.filter { $0.1.certifiedKey == file.publicBlob }
      let beside = file.path.hasSuffix(".pub") ? nil : file.path + "-cert.pub"
      if let beside, let line = PublicKeyLine(file: beside), line.isCertificate {
        // Where the file does not tell its public key, its neighbour's name has to do.
        if file.publicBlob == nil || line.certifiedKey == file.publicBlob {
          lines.append((beside, line))
        }
      }
      var found: [KeyCandidate] = []
      let agentKey = file.publicBlob.flatMap { blob in held.first { $0.blob == blob }?.blob }
      for (path, line) in lines where usedCertificates.insert(line.blob).inserted {
        let holder =
          agentKey.map { KeyCandidate.Holder.agent($0) } ?? .file(file, certificate: line)
        found.append(KeyCandidate(name: path, blob: line.blob, holder: holder))
      }
      if let agentKey {
        found.append(KeyCandidate(name: file.path, blob: agentKey, holder: .agent(agentKey)))
      } else if file.privateKey != nil {
        found.append(
          KeyCandidate(
            name: file.path, blob: file.publicBlob, holder: .file(file, certificate: nil)))
      }
      for candidate in found {
        if agentKey != nil || rest.isEmpty && identity.isExplicit && !candidate.isEncryptedFile {
          named.append(candidate)
        } else {
          rest.append(candidate)
        }
        if let blob = candidate.blob { seen.insert(blob) }
      }
    }

    var offered: [KeyCandidate] = []
    for key in held where !seen.contains(key.blob) {
      let inner = PublicKeyLine.certifiedKey(in: key.blob)
      // With IdentitiesOnly a certificate in the agent still serves for a key the user named.
      if plan.identitiesOnly, inner.map({ !seen.contains($0) }) ?? true { continue }
      offered.append(
        KeyCandidate(
          name: key.comment.isEmpty ? "key of the agent" : key.comment, blob: key.blob,
          holder: .agent(key.blob)))
    }
    for (path, line) in certificates where !usedCertificates.contains(line.blob) {
      guard let inner = line.certifiedKey, held.contains(where: { $0.blob == inner }) else {
        continue
      }
      named.insert(KeyCandidate(name: path, blob: line.blob, holder: .agent(inner)), at: 0)
    }
    let own = plan.signers.map {
      KeyCandidate(name: $0.name, blob: $0.blob, holder: .caller($0))
    }
    return own + named + offered + rest
  }

  private func agentKeys() throws(Failure) -> [AgentClient.Identity] {
    guard let path = plan.agentSocket else { return [] }
    do throws(AgentClient.Problem) {
      let keys = try AgentClient(path: path).identities()
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
