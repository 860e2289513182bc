import Platform

/// The words of ssh about host keys, which people and scripts know.
extension HostTrust {
  static let question =
    "Are you sure you want to continue connecting (yes/no/[fingerprint])? "

  /// The host as the question names it.
  var shown: String {
    printable(alias ?? KnownHosts.name(host, port: port), limit: 300)
  }

  private var shownWithAddress: String {
    guard let address else { return "\(shown) (<no hostip for proxy command>)" }
    return "\(shown) (\(KnownHosts.name(address, port: port)))"
  }

  func questionLines(
    _ key: HostKey, _ known: KnownHosts, other: [KnownHosts.Line]
  ) -> [String] {
    var lines: [String] = []
    for line in other {
      lines.append(
        "WARNING: \(line.key.typeName) key found for host \(shown) in \(printable(line.place))")
      lines.append("\(line.key.typeName) key fingerprint \(fingerprint(of: line.key)).")
    }
    lines.append(
      "The authenticity of host '\(shownWithAddress)' can't be established"
        + (other.isEmpty ? "." : " but keys of different type are already known for this host."))
    lines.append("\(key.typeName) key fingerprint is \(fingerprint(of: key)).")
    if showsPicture { lines += picture(key) }
    let names = known.otherNames(of: key)
    if names.isEmpty {
      lines.append("This key is not known by any other names.")
    } else {
      lines.append("This host key is known by the following other names/addresses:")
      for line in names.prefix(8) {
        lines.append("    \(printable(line.place)): \(printable(line.hosts.text, limit: 200))")
      }
      if names.count > 8 { lines.append("    (\(names.count - 8) additional names omitted)") }
    }
    for line in known.authorities(for: this).prefix(1) { lines.append(authorityNote(line)) }
    return lines
  }

  /// The fingerprint as messages show it.
  func fingerprint(of key: HostKey) -> String { key.fingerprint(fingerprintHash) }

  func picture(_ key: HostKey) -> [String] {
    key.randomArt(fingerprintHash).split(separator: "\n").map(String.init)
  }

  private var this: [String] { names + fallbackNames }

  private func authorityNote(_ line: KnownHosts.Line) -> String {
    "A certificate authority for this host stands at \(printable(line.place)); host certificates "
      + "are not built in (--client openssh checks them)."
  }

  private static let rule = String(repeating: "@", count: 59)

  func changedWarning(_ key: HostKey, _ lines: [KnownHosts.Line]) -> [String] {
    var text = [
      Self.rule, "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", Self.rule,
      "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!",
      "Someone could be eavesdropping on you right now (man-in-the-middle attack)!",
      "It is also possible that a host key has just been changed.",
      "The fingerprint for the \(key.typeName) key sent by the remote host is",
      "\(fingerprint(of: key)).", "Please contact your system administrator.",
    ]
    if let line = lines.first {
      text.append(
        "Add correct host key in \(printable(file ?? line.file)) to get rid of this message.")
    }
    for line in lines {
      text.append("Offending \(line.key.typeName) key in \(printable(line.place))")
      text.append("  remove with:")
      text.append("  \(removal(line))")
    }
    text.append(
      checking == .off
        ? "Host key for \(shown) has changed."
        : "Host key for \(shown) has changed and you have requested strict checking.")
    return text
  }

  func revokedWarning(_ key: HostKey) -> [String] {
    [
      Self.rule, "@       WARNING: REVOKED HOST KEY DETECTED!               @", Self.rule,
      "The \(key.typeName) host key for \(shown) is marked as revoked.",
      "This could mean that a stolen key is being used to impersonate this host.",
    ]
  }

  private func removal(_ line: KnownHosts.Line) -> String {
    "ssh-keygen -f \"\(printable(line.file))\" -R \"\(shown)\""
  }

  func changed(_ key: HostKey, _ lines: [KnownHosts.Line]) -> Failure {
    Failure(
      .hostKeyChanged, what: "Host key verification failed",
      why: "\(shown) shows the \(key.typeName) key \(fingerprint(of: key)), not the one in "
        + lines.map { printable($0.place) }.joined(separator: ", "),
      next: lines.first.map { "if you know why it changed: \(removal($0))" })
  }

  func revokedByFile(_ key: HostKey, _ file: String) -> String {
    "Host key \(key.typeName) \(fingerprint(of: key)) revoked by file \(printable(file))"
  }

  func revoked(in place: String) -> Failure {
    Failure(
      .hostKeyRevoked, what: "Host key verification failed",
      why: "the key of \(shown) is marked as revoked in \(place)")
  }

  func tooShort(_ key: HostKey) -> Failure {
    Failure(
      .hostKeyUnknown, what: "Bad server host key: Invalid key length",
      why: "the RSA key of \(shown) has \(KeyStrength.bitsOfRSA(key.blob) ?? 0) bits, and "
        + "RequiredRSASize asks for \(requiredRSASize)",
      next: "give the server a longer RSA key, or an Ed25519 one")
  }

  /// Somebody was asked and did not say yes.
  var declined: Failure {
    Failure(
      .hostKeyUnknown, what: "Host key verification failed",
      why: "the key of \(shown) was not accepted")
  }

  func unknown(_ key: HostKey, _ known: KnownHosts, other: [KnownHosts.Line]) -> Failure {
    var why = "no \(key.typeName) host key is known for \(shown)"
    if !other.isEmpty {
      why +=
        ", but keys of other types are ("
        + other.map { printable($0.place) }.joined(separator: ", ") + ")"
    }
    if checking == .yes { why += " and you have requested strict checking" }
    if checking == .ask, !canAsk { why += " and nobody can be asked" }
    if file == nil { why += ", and there is no known_hosts file to keep one in" }
    if let line = known.authorities(for: this).first { why += ". " + authorityNote(line) }
    return Failure(
      .hostKeyUnknown, what: "Host key verification failed", why: why,
      next: file == nil
        ? "name a file with -o UserKnownHostsFile=… and compare \(fingerprint(of: key))"
        : checking == .yes
          ? "compare \(fingerprint(of: key)) with the server's own and add it to \(printable(file ?? "known_hosts"))"
          : "connect once from a terminal and compare \(fingerprint(of: key)), or -o StrictHostKeyChecking=accept-new"
    )
  }
}
