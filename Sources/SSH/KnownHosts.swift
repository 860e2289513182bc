import Platform

/// The host keys that are known, from one or more files in OpenSSH's known_hosts format.
package struct KnownHosts: Sendable {
  /// One line of a file that could be understood.
  package struct Line: Sendable, Equatable {
    package enum Marker: Sendable, Equatable {
      case none
      /// `@cert-authority`
      case certificateAuthority
      /// `@revoked`
      case revoked
    }

    package var file: String
    package var number: Int
    package var marker: Marker
    package var hosts: HostPatterns
    package var key: HostKey

    /// `path:12`, as ssh names a line.
    package var place: String { "\(file):\(number)" }
  }

  /// What the files say about a key that a server shows.
  package enum Verdict: Sendable, Equatable {
    case match(Line)
    /// Another key of the same type stands there.
    case changed([Line])
    /// Only keys of other types stand there: a server that is not the known one would show that.
    case otherType([Line])
    case unknown
    case revoked(Line)
  }

  package var lines: [Line]

  package init(lines: [Line] = []) { self.lines = lines }

  /// Reads the files that exist; lines that cannot be understood are passed over, as ssh does.
  package init(files: [String], log: SSHLog = SSHLog()) {
    lines = []
    for file in files {
      do {
        lines += Self.parse(try Files.read(file, limit: 64 << 20), file: file)
      } catch {
        log.debug1("load_hostkeys: \(file): \(error)")
      }
    }
  }

  /// The name under which a host on a port is kept: the port is written only when it is not 22.
  package static func name(_ host: String, port: Int) -> String {
    port == 22 ? host.lowercased() : "[\(host.lowercased())]:\(port)"
  }

  /// Whether any key is known under one of the names: the question before the connection.
  package func hasPin(for names: [String]) -> Bool {
    lines.contains { $0.marker == .none && $0.hosts.matches(any: names) }
  }

  /// The key types known under the names, which the server should be asked to show.
  package func keyTypes(for names: [String]) -> [String] {
    var types: [String] = []
    for line in lines where line.marker == .none && line.hosts.matches(any: names) {
      if !types.contains(line.key.type) { types.append(line.key.type) }
    }
    return types
  }

  /// Judges a key.
  ///
  /// - Parameters:
  ///   - names: all are the same host (``name(_:port:)``, or an alias alone).
  ///   - fallback: names that may confirm the key, but whose other keys are no change: ssh looks
  ///     for the host without its port this way.
  ///   - others: further names of the host (its name and address beside an alias), under which a
  ///     key may be revoked.
  package func verdict(
    on key: HostKey, names: [String], fallback: [String] = [], others: [String] = []
  ) -> Verdict {
    let all = names + fallback + others
    if let line = lines.first(where: {
      $0.marker == .revoked && $0.key == key && $0.hosts.matches(any: all)
    }) {
      return .revoked(line)
    }
    let known = lines.filter { $0.marker == .none && $0.hosts.matches(any: names) }
    if let line = known.first(where: { $0.key == key }) { return .match(line) }
    let sameType = known.filter { $0.key.type == key.type }
    if !sameType.isEmpty { return .changed(sameType) }
    if let line = lines.first(where: {
      $0.marker == .none && $0.key == key && $0.hosts.matches(any: fallback)
    }) {
      return .match(line)
    }
    return known.isEmpty ? .unknown : .otherType(known)
  }

  /// Authorities that sign for the names: recognised, but host certificates are not built in.
  package func authorities(for names: [String]) -> [Line] {
    lines.filter { $0.marker == .certificateAuthority && $0.hosts.matches(any: names) }
  }

  /// Other lines that hold the same key, for the question to the user.
  package func otherNames(of key: HostKey) -> [Line] {
    lines.filter { $0.marker == .none && $0.key == key }
  }

  // MARK: Writing

  /// Adds a key at the end of a file, under its lock; the file is made 0600 where it is missing.
  ///
  /// - Parameter hashed: `HashKnownHosts`: the name cannot be read from the file.
  package static func append(
    _ key: HostKey, name: String, to file: String, hashed: Bool = false
  ) throws {
    let host = hashed ? HostPatterns.hash(name, salt: Digest.random(20)) : name
    try Files.appendLine("\(host) \(key.text)", to: file)
  }
}
