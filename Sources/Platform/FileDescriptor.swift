#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An open file descriptor with one owner, closed when the owner goes.
package struct FileDescriptor: ~Copyable, Sendable {
  /// The number, for calls that borrow it; it must not be kept or closed by them.
  package let number: Int32

  /// Takes over `number`.
  package init(owning number: Int32) { self.number = number }

  deinit { close(number) }

  /// Gives the number away without closing it.
  package consuming func release() -> Int32 {
    let number = self.number
    discard self
    return number
  }
}

/// The two ends of a new pipe, both closed in child processes.
package func makePipe() throws(SystemError) -> (read: Int32, write: Int32) {
  var ends: (Int32, Int32) = (-1, -1)
  let result = unsafe withUnsafeMutablePointer(to: &ends) {
    unsafe $0.withMemoryRebound(to: Int32.self, capacity: 2) { unsafe pipe($0) }
  }
  guard result == 0 else { throw .last }
  closeOnExec(ends.0)
  closeOnExec(ends.1)
  return (ends.0, ends.1)
}

/// The two ends of a new connection inside this machine, both closed in child processes.
package func makeSocketPair() throws(SystemError) -> (own: Int32, other: Int32) {
  #if canImport(Glibc)
    let type = Int32(SOCK_STREAM.rawValue)
  #else
    let type = SOCK_STREAM
  #endif
  var ends: [Int32] = [-1, -1]
  _ = try valueOrSystemError { unsafe socketpair(AF_UNIX, type, 0, &ends) }
  closeOnExec(ends[0])
  closeOnExec(ends[1])
  return (ends[0], ends[1])
}

/// Keeps a descriptor out of child processes.
package func closeOnExec(_ descriptor: Int32) {
  _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
}

/// Reads what is there, at most `limit` bytes; an empty result is the end of the file.
package func readSome(_ descriptor: Int32, limit: Int) throws(SystemError) -> [UInt8] {
  var buffer = [UInt8](repeating: 0, count: limit)
  let count = try valueOrSystemError {
    unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
  }
  buffer.removeLast(buffer.count - count)
  return buffer
}

/// Writes all bytes, waiting for the descriptor where it does not block.
package func writeAll(_ descriptor: Int32, _ bytes: some Collection<UInt8>) throws(SystemError) {
  let bytes = Array(bytes)
  var sent = 0
  while sent < bytes.count {
    do {
      sent += try valueOrSystemError {
        unsafe bytes.withUnsafeBytes {
          unsafe write(descriptor, $0.baseAddress?.advanced(by: sent), $0.count - sent)
        }
      }
    } catch {
      guard error.number == EAGAIN else { throw error }
      var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      _ = unsafe poll(&ready, 1, -1)
    }
  }
}
