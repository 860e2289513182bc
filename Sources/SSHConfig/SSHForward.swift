/// A port or socket forwarding as asked for.
package struct SSHForward: Sendable, Equatable {
  /// Where one side listens.
  package enum Listener: Sendable, Equatable {
    /// `address` nil: loopback, or all addresses with GatewayPorts. Port 0 (remote only): any.
    case port(address: String?, port: Int)
    case socket(path: String)
  }

  /// Where the other side connects to.
  package enum Target: Sendable, Equatable {
    case port(host: String, port: Int)
    case socket(path: String)
    /// Whatever the SOCKS client asks for.
    case socks
  }

  package var listener: Listener
  package var target: Target

  package init(listener: Listener, target: Target) {
    self.listener = listener
    self.target = target
  }

  var printedListener: String {
    switch listener {
    case .port(nil, let port): "\(port)"
    case .port(let address?, let port): "[\(address)]:\(port)"
    case .socket(let path): path
    }
  }

  /// As `-G` prints it, without the keyword.
  package var printed: String {
    switch target {
    case .port(let host, let port): "\(printedListener) [\(host)]:\(port)"
    case .socket(let path): "\(printedListener) \(path)"
    case .socks: printedListener
    }
  }
}

extension SSHForward {
  enum Direction { case local, remote, dynamic, remoteDynamic }

  private struct Field {
    var text: [UInt8]
    var isPath = false
    var string: String { String(decoding: text, as: UTF8.self) }
  }

  /// Reads `[address:]port:host:port` and its forms with sockets; nil for what ssh refuses.
  ///
  /// - Parameter text: with `${…}` already expanded.
  /// - Parameter port: a port number or a service's name.
  static func parse(
    _ text: String, _ direction: Direction, port: (String) -> Int?
  ) -> SSHForward? {
    guard let fields = fields(Array(text.utf8).drop(while: \.isSpace)) else { return nil }
    let dynamic = direction == .dynamic || direction == .remoteDynamic
    let remote = direction == .remote || direction == .remoteDynamic

    let listener: Listener
    let target: Target
    func listening(_ address: Field?, _ number: Field) -> Listener? {
      guard let value = port(number.string), value > 0 || (remote && value == 0) else {
        return nil
      }
      return .port(address: address?.string, port: value)
    }
    func connecting(_ host: Field, _ number: Field) -> Target? {
      guard let value = port(number.string), value > 0 else { return nil }
      return .port(host: host.string, port: value)
    }
    switch (fields.count, dynamic) {
    case (1, true):
      guard
        let made = fields[0].isPath ? .socket(path: fields[0].string) : listening(nil, fields[0])
      else { return nil }
      (listener, target) = (made, .socks)
    case (2, true):
      // a path as second field would be a target, which a dynamic forward has not
      if fields[1].isPath { return nil }
      guard let made = listening(fields[0], fields[1]) else { return nil }
      (listener, target) = (made, .socks)
    case (2, false):
      guard fields[1].isPath,
        let made = fields[0].isPath ? .socket(path: fields[0].string) : listening(nil, fields[0])
      else { return nil }
      (listener, target) = (made, .socket(path: fields[1].string))
    case (3, false):
      if fields[0].isPath {
        guard let made = connecting(fields[1], fields[2]) else { return nil }
        (listener, target) = (.socket(path: fields[0].string), made)
      } else if fields[2].isPath {
        guard let made = listening(fields[0], fields[1]) else { return nil }
        (listener, target) = (made, .socket(path: fields[2].string))
      } else {
        guard let from = listening(nil, fields[0]), let to = connecting(fields[1], fields[2])
        else { return nil }
        (listener, target) = (from, to)
      }
    case (4, false):
      guard let from = listening(fields[0], fields[1]), let to = connecting(fields[2], fields[3])
      else { return nil }
      (listener, target) = (from, to)
    default: return nil
    }
    let forward = SSHForward(listener: listener, target: target)
    return forward.fitsLimits ? forward : nil
  }

  /// `host:port` of `-W`.
  static func parseStdio(_ text: String, port: (String) -> Int?) -> (host: String, port: Int)? {
    guard let forward = parse(text, .dynamic, port: port),
      case .port(let address?, let number) = forward.listener
    else { return nil }
    return (address, number)
  }

  private var fitsLimits: Bool {
    // NI_MAXHOST, and sun_path
    let hosts: [String?]
    let paths: [String?]
    switch (listener, target) {
    case (.port(let address, _), .port(let host, _)): (hosts, paths) = ([address, host], [])
    case (.port(let address, _), .socket(let path)): (hosts, paths) = ([address], [path])
    case (.port(let address, _), .socks): (hosts, paths) = ([address], [])
    case (.socket(let path), .port(let host, _)): (hosts, paths) = ([host], [path])
    case (.socket(let path), .socket(let other)): (hosts, paths) = ([], [path, other])
    case (.socket(let path), .socks): (hosts, paths) = ([], [path])
    }
    return hosts.allSatisfy { ($0?.utf8.count ?? 0) < 1025 }
      && paths.allSatisfy { ($0?.utf8.count ?? 0) < 108 }
  }

  /// Up to four fields between colons; brackets hold a colon, a backslash escapes one.
  private static func fields(_ bytes: ArraySlice<UInt8>) -> [Field]? {
    var fields: [Field] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
      if fields.count == 4 { return nil }
      var field = Field(text: [])
      if bytes[index] == UInt8(ascii: "[") {
        guard let close = bytes[index...].firstIndex(of: UInt8(ascii: "]")) else { return nil }
        field.text = Array(bytes[(index + 1)..<close])
        field.isPath = field.text.contains(UInt8(ascii: "/"))
        index = close + 1
        if index < bytes.endIndex {
          guard bytes[index] == UInt8(ascii: ":") else { return nil }
          index += 1
        }
      } else {
        scan: while index < bytes.endIndex {
          switch bytes[index] {
          case UInt8(ascii: "\\"):
            index += 1
            guard index < bytes.endIndex else { return nil }
            field.text.append(bytes[index])
          case UInt8(ascii: ":"):
            index += 1
            break scan
          case let byte:
            if byte == UInt8(ascii: "/") { field.isPath = true }
            field.text.append(byte)
          }
          index += 1
        }
      }
      fields.append(field)
    }
    return fields.isEmpty ? nil : fields
  }
}

/// The way through other hosts: `ProxyJump` or `-J`.
package struct SSHJump: Sendable, Equatable {
  package struct Hop: Sendable, Equatable {
    package var user: String?
    package var host: String
    package var port: Int?

    package init(user: String? = nil, host: String, port: Int? = nil) {
      self.user = user
      self.host = host
      self.port = port
    }
  }

  /// In the order of the way: the first is reached directly.
  package var hops: [Hop]
  /// All but the last hop, as written.
  var leading: String?

  package init(hops: [Hop]) { self.init(hops: hops, leading: nil) }

  init(hops: [Hop], leading: String?) {
    self.hops = hops
    self.leading = leading
  }

  /// As `-G` prints it, without the keyword.
  package var printed: String {
    guard let last = hops.last else { return "none" }
    let numeric =
      last.host.utf8.contains(UInt8(ascii: ":"))
      || last.host.utf8.allSatisfy { $0.isDigit || $0 == 0x2E }
    return (leading.map { "\($0)," } ?? "") + (last.user.map { "\($0)@" } ?? "")
      + (numeric ? "[\(last.host)]" : last.host) + (last.port.map { ":\($0)" } ?? "")
  }

  /// - Parameter strict: on the command line names must be safe for a shell.
  static func parse(
    _ text: String, strict: Bool, port: (String) -> Int?
  ) -> Result<SSHJump, SSHConfigError> {
    var bytes = Array(text.utf8)[...].prefix { $0 != UInt8(ascii: "#") }
    // ssh's rtrim() cuts at the first blank, not only at the last ones
    if let blank = bytes.dropFirst().firstIndex(where: \.isSpace) { bytes = bytes[..<blank] }
    var hops: [Hop] = []
    for part in bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let hop = hop(part, port: port) else {
        return .failure(SSHConfigError(.option, ""))
      }
      if strict, !SSHName.isValidHost(hop.host) {
        return .failure(SSHConfigError(.unsafeName, "invalid hostname \"\(hop.host)\""))
      }
      if strict, let user = hop.user, !SSHName.isValidUser(user) {
        return .failure(SSHConfigError(.unsafeName, "invalid username \"\(user)\""))
      }
      hops.append(hop)
    }
    guard !hops.isEmpty else { return .failure(SSHConfigError(.option, "")) }
    let comma = bytes.lastIndex(of: UInt8(ascii: ","))
    return .success(
      SSHJump(hops: hops, leading: comma.map { String(decoding: bytes[..<$0], as: UTF8.self) }))
  }

  private static func hop(_ part: ArraySlice<UInt8>, port: (String) -> Int?) -> Hop? {
    let text = String(decoding: part, as: UTF8.self)
    if text.hasPrefix("ssh://") {
      return SSHDestination.uri(text).map { Hop(user: $0.user, host: $0.host, port: $0.port) }
    }
    var rest = part
    var user: String?
    if let at = part.lastIndex(of: UInt8(ascii: "@")) {
      if at == part.startIndex { return nil }
      user = String(decoding: part[..<at], as: UTF8.self)
      rest = part[(at + 1)...]
    }
    guard let (host, tail) = SSHDestination.hostAndRest(rest), !host.isEmpty else { return nil }
    var number: Int?
    if let tail, !tail.isEmpty {
      guard let value = port(String(decoding: tail, as: UTF8.self)), value > 0 else { return nil }
      number = value
    }
    return Hop(user: user, host: String(decoding: host, as: UTF8.self), port: number)
  }
}
