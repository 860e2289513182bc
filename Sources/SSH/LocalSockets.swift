import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Sockets of this machine, for forwards; none of them ever blocks.
enum LocalSockets {
  /// One address that a name stands for.
  struct Address {
    var family: Int32
    fileprivate var storage: sockaddr_storage
    fileprivate var length: socklen_t

    /// As a number, without the port.
    fileprivate var text: String {
      var host = [CChar](repeating: 0, count: 64)
      let result = unsafe withPointer {
        unsafe getnameinfo($0, $1, &host, 64, nil, 0, NI_NUMERICHOST)
      }
      return result == 0 ? LocalSockets.text(host) : "?"
    }

    fileprivate func withPointer<Result>(
      _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
      unsafe withUnsafePointer(to: storage) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe body($0, length)
        }
      }
    }
  }

  /// The addresses of a name, in the system's order; blocks while the name is looked up.
  static func addresses(of host: String?, port: Int, passive: Bool = false) -> [Address] {
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = AF_UNSPEC
    unsafe hints.ai_socktype = streamType
    unsafe hints.ai_flags = passive ? AI_PASSIVE : 0
    var list: UnsafeMutablePointer<addrinfo>?
    guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
    defer { unsafe freeaddrinfo(list) }
    var result: [Address] = []
    var entry = unsafe list
    while let info = unsafe entry {
      var address = Address(
        family: unsafe info.pointee.ai_family, storage: sockaddr_storage(),
        length: unsafe info.pointee.ai_addrlen)
      let count = min(Int(address.length), MemoryLayout<sockaddr_storage>.size)
      if let bytes = unsafe info.pointee.ai_addr {
        unsafe withUnsafeMutableBytes(of: &address.storage) {
          unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: count))
        }
        result.append(address)
      }
      unsafe entry = info.pointee.ai_next
    }
    return result
  }

  /// A listening socket for each address of the host.
  ///
  /// - Parameters:
  ///   - host: nil is loopback; empty is every address.
  ///   - tell: takes each address that could not be had. Somebody else may listen there, whom a
  ///     client of ours would meet instead.
  static func listen(
    host: String?, port: Int, tell: (_ address: String, SystemError) -> Void = { _, _ in }
  ) throws(SystemError) -> [FileDescriptorBox] {
    let isEverywhere = host == "" || host == "*"
    let found = addresses(
      // No name at all is loopback by definition; "localhost" is what some resolver says it is.
      of: isEverywhere ? nil : host, port: port, passive: isEverywhere)
    var sockets: [FileDescriptorBox] = []
    var problem = SystemError(EADDRNOTAVAIL)
    for address in found {
      do throws(SystemError) {
        sockets.append(try listen(on: address))
      } catch {
        problem = error
        tell(address.text, error)
      }
    }
    if sockets.isEmpty { throw problem }
    return sockets
  }

  private static func listen(on address: Address) throws(SystemError) -> FileDescriptorBox {
    let socket = try makeStream(address.family)
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    unsafe setsockopt(socket.number, SOL_SOCKET, SO_REUSEADDR, &on, size)
    if address.family == AF_INET6 {
      unsafe setsockopt(socket.number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, size)
    }
    _ = try valueOrSystemError { unsafe address.withPointer { unsafe bind(socket.number, $0, $1) } }
    _ = try valueOrSystemError { Self.startListening(socket.number) }
    return socket
  }

  /// A listening Unix socket; what is there before is only removed when asked.
  static func listen(path: String, unlinks: Bool, mask: UInt32) throws(SystemError)
    -> FileDescriptorBox
  {
    if unlinks, Files.kind(of: path)?.isDirectory == false { unsafe unlink(path) }
    let socket = try makeStream(AF_UNIX)
    var address = try unixAddress(path)
    // On Linux the socket's own mode becomes the file's, so that it is never open wider.
    _ = fchmod(socket.number, mode_t(0o777 & ~mask))
    _ = try valueOrSystemError {
      unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe bind(socket.number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
    }
    unsafe chmod(path, mode_t(0o777 & ~mask))
    _ = try valueOrSystemError { Self.startListening(socket.number) }
    return socket
  }

  private static func startListening(_ socket: Int32) -> Int32 {
    #if canImport(Glibc)
      Glibc.listen(socket, 128)
    #else
      Darwin.listen(socket, 128)
    #endif
  }

  /// Starts a connection; it stands when the socket can be written and has no error.
  static func connect(to address: Address) throws(SystemError) -> FileDescriptorBox {
    let socket = try makeStream(address.family)
    noDelay(socket.number)
    do {
      _ = try valueOrSystemError {
        unsafe address.withPointer { unsafe startConnecting(socket.number, $0, $1) }
      }
    } catch {
      if error.number != EINPROGRESS { throw error }
    }
    return socket
  }

  /// The next connection that waits at a listener; nil where none does.
  static func accept(_ listener: Int32) throws(SystemError) -> FileDescriptorBox? {
    do {
      let number = try valueOrSystemError { unsafe acceptOne(listener, nil, nil) }
      closeOnExec(number)
      setNonBlocking(number)
      noDelay(number)
      return FileDescriptorBox(FileDescriptor(owning: number))
    } catch {
      // A client that has gone again is nobody's problem.
      if [EAGAIN, EWOULDBLOCK, ECONNABORTED].contains(error.number) { return nil }
      throw error
    }
  }

  /// What became of a connection that was started.
  static func problem(of socket: Int32) -> SystemError? {
    var number: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &number, &size) == 0 else { return .last }
    return number == 0 ? nil : SystemError(number)
  }

  /// The address and port of the client of a connection, as text.
  static func client(of socket: Int32) -> (host: String, port: Int) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var host = [CChar](repeating: 0, count: 64)
    var port = [CChar](repeating: 0, count: 8)
    let found = unsafe withUnsafeMutablePointer(to: &storage) { pointer -> Bool in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> Bool in
        guard unsafe getpeername(socket, pointer, &length) == 0 else { return false }
        return unsafe getnameinfo(
          pointer, length, &host, 64, &port, 8, NI_NUMERICHOST | NI_NUMERICSERV) == 0
      }
    }
    guard found else { return ("127.0.0.1", 0) }
    return (text(host), Int(text(port)) ?? 0)
  }

  fileprivate static func text(_ characters: [CChar]) -> String {
    String(
      decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func makeStream(_ family: Int32) throws(SystemError) -> FileDescriptorBox {
    let number = try valueOrSystemError { makeSocket(family, streamType) }
    closeOnExec(number)
    setNonBlocking(number)
    return FileDescriptorBox(FileDescriptor(owning: number))
  }

  private static func noDelay(_ socket: Int32) {
    var on: Int32 = 1
    unsafe setsockopt(
      socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  static let streamType: Int32 = {
    #if canImport(Glibc)
      Int32(SOCK_STREAM.rawValue)
    #else
      SOCK_STREAM
    #endif
  }()
}

/// A descriptor in an array: arrays cannot hold the owner itself.
final class FileDescriptorBox {
  private let descriptor: FileDescriptor
  init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
  var number: Int32 { descriptor.number }
}

@unsafe private func acceptOne(
  _ listener: Int32, _ address: UnsafeMutablePointer<sockaddr>?,
  _ length: UnsafeMutablePointer<socklen_t>?
) -> Int32 { unsafe accept(listener, address, length) }

@unsafe private func startConnecting(
  _ socket: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t
) -> Int32 { unsafe connect(socket, address, length) }

func unixAddress(_ path: String) throws(SystemError) -> sockaddr_un {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  let bytes = Array(path.utf8)
  guard !bytes.contains(0), bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
    throw SystemError(ENAMETOOLONG)
  }
  unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
  return address
}

/// A connection to a Unix socket of this machine that never blocks.
func connectToUnixSocket(_ path: String) throws(SystemError) -> FileDescriptor {
  let address = try unixAddress(path)
  let socket = FileDescriptor(
    owning: try valueOrSystemError { makeSocket(AF_UNIX, LocalSockets.streamType) })
  closeOnExec(socket.number)
  // A local connect answers at once, or says that the listener's queue is full.
  setNonBlocking(socket.number)
  let number = socket.number
  _ = try valueOrSystemError {
    unsafe withUnsafePointer(to: address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe startConnecting(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
  return socket
}

/// Never for a descriptor that other processes use: the flag is shared with them.
func setNonBlocking(_ descriptor: Int32) {
  let flags = fcntl(descriptor, F_GETFL)
  if flags >= 0 { _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) }
}

/// `socket`, under a name that a parameter called `socket` does not hide.
func makeSocket(_ family: Int32, _ type: Int32) -> Int32 { socket(family, type, 0) }
