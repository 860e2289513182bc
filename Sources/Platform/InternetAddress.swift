#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An IPv4 or IPv6 address with a port, as the system's socket calls take it.
package struct InternetAddress: Sendable, Equatable, CustomStringConvertible {
  package enum Family: Sendable {
    case any
    case ipv4
    case ipv6
  }

  /// The bytes of a `sockaddr_in` or `sockaddr_in6`.
  private var socketAddress: [UInt8]
  /// The address in numbers, without the port.
  package let host: String
  package let port: UInt16
  package let isIPv6: Bool

  package var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Looks a host name or literal address up. Blocks while the resolver works.
  ///
  /// - Parameter numericOnly: takes a literal address alone, and asks nobody.
  /// - Returns: every address, in the resolver's order of preference; never empty.
  package static func resolve(
    _ host: String, port: UInt16, family: Family = .any, numericOnly: Bool = false
  ) throws(Failure) -> [InternetAddress] {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = streamType
    if numericOnly { unsafe hints.ai_flags = AI_NUMERICHOST }
    switch family {
    case .any: unsafe hints.ai_family = AF_UNSPEC
    case .ipv4: unsafe hints.ai_family = AF_INET
    case .ipv6: unsafe hints.ai_family = AF_INET6
    }
    var list: UnsafeMutablePointer<addrinfo>?
    let result = unsafe getaddrinfo(host, String(port), &hints, &list)
    defer { unsafe freeaddrinfo(list) }
    var found: [InternetAddress] = []
    var next = unsafe list
    while let entry = unsafe next {
      if let address = unsafe InternetAddress(entry.pointee), !found.contains(address) {
        found.append(address)
      }
      unsafe next = entry.pointee.ai_next
    }
    guard result == 0, !found.isEmpty else {
      // ssh's words, which scripts look for.
      let text = unsafe gai_strerror(result).map { unsafe String(cString: $0) } ?? "not found"
      throw Failure(
        .hostUnreachable, what: "Could not resolve hostname \(printable(host, limit: 255))",
        why: text, next: "check the name, or pass the VM's full resource id")
    }
    return found
  }

  /// The address that this machine would come from when it speaks to `host`, a literal IPv4
  /// address. Nothing is sent.
  package static func localAddress(towards host: String) -> String? {
    guard let target = try? resolve(host, port: 9, family: .ipv4, numericOnly: true).first,
      let number = try? valueOrSystemError({ socket(AF_INET, datagramType, 0) })
    else { return nil }
    let descriptor = FileDescriptor(owning: number)
    guard
      unsafe (try? target.withSocketAddress { unsafe connect(descriptor.number, $0, $1) }) != nil
    else { return nil }
    return bound(to: descriptor.number)?.host
  }

  /// The local end of a socket: where it listens, or comes from.
  package static func bound(to descriptor: Int32) -> InternetAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = unsafe withUnsafeMutablePointer(to: &storage) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(descriptor, $0, &length)
      }
    }
    guard result == 0 else { return nil }
    return unsafe withUnsafeBytes(of: &storage) {
      unsafe InternetAddress(Array($0.prefix(Int(length))))
    }
  }

  private init?(_ entry: addrinfo) {
    guard let address = unsafe entry.ai_addr, unsafe entry.ai_addrlen > 0 else { return nil }
    let length = unsafe Int(entry.ai_addrlen)
    self.init(unsafe Array(UnsafeRawBufferPointer(start: address, count: length)))
  }

  private init?(_ bytes: [UInt8]) {
    var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    let result = unsafe bytes.withUnsafeBytes { raw -> Int32 in
      guard let base = raw.baseAddress else { return EAI_FAIL }
      return unsafe getnameinfo(
        base.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count), &name,
        socklen_t(name.count), &service, socklen_t(service.count),
        NI_NUMERICHOST | NI_NUMERICSERV)
    }
    guard result == 0, let port = UInt16(Self.text(service)) else { return nil }
    socketAddress = bytes
    host = Self.text(name)
    self.port = port
    isIPv6 = host.contains(":")
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Starts a TCP connection that does not block: it stands, or has failed, when the descriptor
  /// becomes writable (see ``connectionError(of:)``).
  ///
  /// - Parameter local: the local address to come from (its port is used too, usually 0).
  package func startConnecting(from local: InternetAddress? = nil) throws(SystemError) -> Int32 {
    let family = isIPv6 ? AF_INET6 : AF_INET
    let number = try valueOrSystemError { socket(family, Self.streamType, 0) }
    closeOnExec(number)
    setNonBlocking(number, true)
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    _ = unsafe setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
    do throws(SystemError) {
      if let local { try unsafe local.withSocketAddress { unsafe bind(number, $0, $1) } }
      try unsafe withSocketAddress { unsafe connect(number, $0, $1) }
    } catch {
      guard error.number == EINPROGRESS else {
        close(number)
        throw error
      }
    }
    return number
  }

  /// Listens on the address.
  package func listen() throws(SystemError) -> Int32 {
    let family = isIPv6 ? AF_INET6 : AF_INET
    let number = try valueOrSystemError { socket(family, Self.streamType, 0) }
    closeOnExec(number)
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    _ = unsafe setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, size)
    do throws(SystemError) {
      try unsafe withSocketAddress { unsafe bind(number, $0, $1) }
      _ = try valueOrSystemError { systemListen(number, 128) }
    } catch {
      close(number)
      throw error
    }
    return number
  }

  private func withSocketAddress(
    _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(SystemError) {
    let result = unsafe socketAddress.withUnsafeBytes { raw -> Int32 in
      guard let base = raw.baseAddress else { return -1 }
      return unsafe call(base.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count))
    }
    guard result == 0 else { throw .last }
  }

  #if canImport(Glibc)
    private static let streamType = Int32(SOCK_STREAM.rawValue)
    private static let datagramType = Int32(SOCK_DGRAM.rawValue)
  #else
    private static let streamType = SOCK_STREAM
    private static let datagramType = SOCK_DGRAM
  #endif
}

/// Why a connection that was started did not come about; nil when it stands.
package func connectionError(of descriptor: Int32) -> SystemError? {
  var number: Int32 = 0
  var size = socklen_t(MemoryLayout<Int32>.size)
  guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &size) == 0 else {
    return .last
  }
  return number == 0 ? nil : SystemError(number)
}

/// Switches whether reads and writes wait. Never for a terminal, which other programs share.
package func setNonBlocking(_ descriptor: Int32, _ isNonBlocking: Bool) {
  let flags = fcntl(descriptor, F_GETFL)
  guard flags >= 0 else { return }
  _ = fcntl(descriptor, F_SETFL, isNonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK)
}

private func systemListen(_ descriptor: Int32, _ backlog: Int32) -> Int32 {
  listen(descriptor, backlog)
}

/// The port that a socket is bound to, for one that asked for any.
package func boundPort(of descriptor: Int32) throws(SystemError) -> UInt16 {
  var storage = sockaddr_storage()
  var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
  let result = unsafe withUnsafeMutablePointer(to: &storage) {
    unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe getsockname(descriptor, $0, &length)
    }
  }
  guard result == 0 else { throw .last }
  // The port lies at the same place in both families.
  return unsafe withUnsafeBytes(of: &storage) { bytes in
    unsafe UInt16(bytes[2]) << 8 | UInt16(bytes[3])
  }
}
