import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// TCP over IPv4 on loopback: the one file here that hands structures to the socket calls.
enum Socket {
  private static let stream = {
    #if canImport(Glibc)
      Int32(SOCK_STREAM.rawValue)
    #else
      SOCK_STREAM
    #endif
  }()

  /// A socket bound to an address and port (0 takes a free one) that does not listen yet: the port
  /// is taken, and connections to it are refused.
  ///
  /// - Parameter exclusive: fails where another socket is bound there, even one that does not
  ///   listen.
  static func bound(
    to address: String, port: UInt16, exclusive: Bool = false
  ) throws(SystemError) -> Int32 {
    let descriptor = try valueOrSystemError { socket(AF_INET, stream, 0) }
    closeOnExec(descriptor)
    if !exclusive { setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) }
    do throws(SystemError) {
      _ = unsafe try withAddress(address, port) { pointer, size in
        unsafe bind(descriptor, pointer, size)
      }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// A connection to an address and port.
  static func connected(to address: String, port: UInt16) throws(SystemError) -> Int32 {
    let descriptor = try valueOrSystemError { socket(AF_INET, stream, 0) }
    closeOnExec(descriptor)
    do throws(SystemError) {
      _ = unsafe try withAddress(address, port) { pointer, size in
        unsafe connect(descriptor, pointer, size)
      }
    } catch {
      close(descriptor)
      throw error
    }
    prepare(descriptor)
    return descriptor
  }

  /// The next connection, with the address it comes from; nil where there is none after all.
  static func accepted(from listener: Int32) -> (descriptor: Int32, peer: String)? {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe accept(listener, $0, &size)
      }
    }
    guard descriptor >= 0 else { return nil }
    closeOnExec(descriptor)
    prepare(descriptor)
    return (descriptor, IPv4(UInt32(bigEndian: address.sin_addr.s_addr)).text)
  }

  /// The port a socket is bound to.
  static func port(of descriptor: Int32) -> UInt16 {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(descriptor, $0, &size)
      }
    }
    return result == 0 ? UInt16(bigEndian: address.sin_port) : 0
  }

  /// Closing sends a reset instead of an orderly end.
  static func resetOnClose(_ descriptor: Int32) {
    var option = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  /// Sends all bytes, without SIGPIPE; false when the other side is gone.
  @discardableResult
  static func sendAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
    unsafe bytes.withUnsafeBytes { unsafe sendAll(descriptor, $0) }
  }

  private static func sendAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Bool {
    #if canImport(Glibc)
      let flags = Int32(MSG_NOSIGNAL)
    #else
      let flags: Int32 = 0
    #endif
    var sent = 0
    while sent < bytes.count {
      let count = unsafe send(
        descriptor, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, flags)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Waits until one of the descriptors can be read or is closed; those that are.
  ///
  /// Negative numbers are passed over. `milliseconds` -1 waits for ever.
  static func readable(_ descriptors: [Int32], milliseconds: Int32 = -1) -> [Int32] {
    var polls = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    guard unsafe poll(&polls, nfds_t(polls.count), milliseconds) > 0 else { return [] }
    return polls.filter { $0.revents != 0 }.map(\.fd)
  }

  /// Copies bytes both ways until both ways have ended; neither descriptor is closed.
  static func relay(_ first: Int32, _ second: Int32) {
    guard let (finished, finish) = try? makePipe() else { return }
    startThread {
      copy(from: second, to: first)
      _ = try? writeAll(finish, [0])
    }
    copy(from: first, to: second)
    _ = try? readSome(finished, limit: 1)
    close(finished)
    close(finish)
  }

  /// Copies one way to its end, and passes the end on.
  private static func copy(from source: Int32, to target: Int32) {
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    unsafe buffer.withUnsafeMutableBytes { buffer in
      while true {
        let count = unsafe read(source, buffer.baseAddress, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0, unsafe sendAll(target, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        else { break }
      }
    }
    shutdown(source, Int32(SHUT_RD))
    shutdown(target, Int32(SHUT_WR))
  }

  private static func prepare(_ descriptor: Int32) {
    setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    #if !canImport(Glibc)
      setOption(descriptor, SOL_SOCKET, SO_NOSIGPIPE, 1)
    #endif
  }

  private static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32)
  {
    var value = value
    unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func withAddress(
    _ address: String, _ port: UInt16, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(SystemError) -> Int32 {
    guard let ip = IPv4(text: address) else { throw SystemError(EINVAL) }
    var structure = sockaddr_in()
    structure.sin_family = sa_family_t(AF_INET)
    structure.sin_port = port.bigEndian
    structure.sin_addr.s_addr = ip.value.bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    return try valueOrSystemError {
      unsafe withUnsafePointer(to: &structure) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe call($0, size) }
      }
    }
  }
}

extension Simulator {
  /// A port of loopback that nobody listens on at the moment.
  package static func freePort() throws -> UInt16 {
    let descriptor = FileDescriptor(owning: try Socket.bound(to: "127.0.0.1", port: 0))
    return Socket.port(of: descriptor.number)
  }

  /// Whether a server on loopback accepts and sends something within a second.
  package static func greets(port: UInt16) -> Bool {
    guard let number = try? Socket.connected(to: "127.0.0.1", port: port) else { return false }
    let descriptor = FileDescriptor(owning: number)
    guard !Socket.readable([descriptor.number], milliseconds: 1000).isEmpty else { return false }
    return (try? readSome(descriptor.number, limit: 1).isEmpty) == false
  }
}
