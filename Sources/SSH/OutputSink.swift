import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A local output that never makes the session wait: what it does not take stays here.
final class OutputSink {
  /// Above this much unwritten, nothing more is read from the server.
  static let limit = 256 << 10

  /// The caller's descriptor.
  let descriptor: Int32
  /// Our own open file for the same pipe or terminal.
  ///
  /// The caller's cannot be made non-blocking: the flag would reach every process that shares it.
  private let own: Int32?
  private let isSocket: Bool
  private let isFile: Bool
  private var pending = ByteQueue()
  /// The reader has gone, or the disk is full: nothing more can be written.
  private(set) var problem: SystemError?

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
    var status = stat()
    let format = unsafe fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : 0
    isSocket = format == S_IFSOCK
    // Files and devices such as /dev/null take everything at once.
    isFile = format == S_IFREG || format == S_IFCHR && isatty(descriptor) == 0
    #if canImport(Glibc)
      if format == S_IFIFO || isatty(descriptor) == 1 {
        let flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        let number = unsafe open("/proc/self/fd/\(descriptor)", flags)
        own = number >= 0 ? number : nil
      } else {
        own = nil
      }
    #else
      own = nil
    #endif
  }

  deinit {
    if let own { close(own) }
  }

  var pollDescriptor: Int32 { own ?? descriptor }
  var isIdle: Bool { pending.isEmpty || problem != nil }
  var isFull: Bool { pending.count >= Self.limit && problem == nil }

  /// Takes bytes: what the descriptor does not take at once waits here.
  @unsafe func take(_ bytes: UnsafeRawBufferPointer) {
    push(isReady: false)
    let written = unsafe pending.isEmpty ? deliver(bytes, isReady: false) : 0
    if problem == nil {
      unsafe pending.append(UnsafeRawBufferPointer(rebasing: bytes[written...]))
    }
  }

  /// Writes what the descriptor takes now.
  ///
  /// - Parameter isReady: poll has said that it takes something; needed where a write could block.
  func push(isReady: Bool) {
    let written = unsafe pending.withBytes { unsafe deliver($0, isReady: isReady) }
    if problem == nil { pending.drop(written) } else { pending.removeAll() }
  }

  /// - Returns: how many of the bytes the descriptor took.
  @unsafe private func deliver(_ bytes: UnsafeRawBufferPointer, isReady: Bool) -> Int {
    var written = 0
    while written < bytes.count, problem == nil {
      let mayBlock = own == nil && !isSocket && !isFile
      if mayBlock, !isReady, !isWritable { break }
      // A pipe that is ready takes this much without blocking (PIPE_BUF).
      let rest = unsafe bytes[written...].prefix(mayBlock ? 4096 : 1 << 20)
      let piece = unsafe UnsafeRawBufferPointer(rebasing: rest)
      let target = pollDescriptor
      let count =
        unsafe isSocket
        ? send(target, piece.baseAddress, piece.count, sendFlags)
        : write(target, piece.baseAddress, piece.count)
      if count >= 0 {
        written += count
        if mayBlock { break }
      } else if errno == EINTR {
        continue
      } else if errno == EAGAIN || errno == EWOULDBLOCK {
        break
      } else {
        problem = .last
      }
    }
    return written
  }

  private var isWritable: Bool {
    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&ready, 1, 0) == 1
  }
}
