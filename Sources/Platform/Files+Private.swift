#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Files that hold secrets: read only when nobody else can have written or read them.
extension Files {
  package enum PrivateContent: Sendable, Equatable {
    case absent
    /// There is a file, and the reason why it must not be trusted.
    case refused(String)
    case bytes([UInt8])
  }

  /// The whole file, if it is a regular file (no link) of `owner` that nobody else may read or
  /// write.
  ///
  /// The checks are made on the open file, so it cannot be exchanged in between.
  ///
  /// - Parameter othersMayRead: takes a file with any mode.
  package static func readPrivate(
    _ path: String, owner: UInt32, othersMayRead: Bool = false, limit: Int = 4 << 20
  ) throws(SystemError) -> PrivateContent {
    let number: Int32
    do {
      // O_NONBLOCK: a pipe put in the file's place must not stop us.
      number = try valueOrSystemError {
        unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      }
    } catch {
      switch error.number {
      case ENOENT, ENOTDIR: return .absent
      case ELOOP, EMLINK: return .refused("it is a symbolic link")
      default: throw error
      }
    }
    let descriptor = FileDescriptor(owning: number)
    var status = stat()
    _ = try valueOrSystemError { unsafe fstat(descriptor.number, &status) }
    guard status.st_mode & S_IFMT == S_IFREG else { return .refused("it is not a regular file") }
    guard status.st_uid == owner else { return .refused("it belongs to another user") }
    guard othersMayRead || status.st_mode & 0o077 == 0 else {
      return .refused("other users may read or change it")
    }
    var bytes: [UInt8] = []
    while true {
      let chunk = try readSome(descriptor.number, limit: 64 << 10)
      if chunk.isEmpty { return .bytes(bytes) }
      bytes += chunk
      if bytes.count > limit { throw SystemError(EFBIG) }
    }
  }

  /// Removes such a file, whatever is in it, under its lock: with what writers that were killed left
  /// of ``replace(_:with:mode:onlyIfAbsent:)``.
  package static func removeWithRemains(_ path: String) throws {
    let folder = parentDirectory(of: path)
    guard kind(of: folder, followingLinks: true) != nil else { return }
    try withLock(on: path) {
      try remove(path)
      let start = path.dropFirst(folder.count + 1) + "."
      for name in try names(in: folder)
      where name.hasPrefix(start) && name.utf8.count == start.utf8.count + 6 {
        try remove("\(folder)/\(name)")
      }
    }
  }

  /// The lock of exactly this file, made where it is missing, without waiting; nil while another
  /// process or task holds it.
  ///
  /// It is let go with the descriptor. The file stays.
  package static func tryLock(_ path: String) throws(SystemError) -> FileDescriptor? {
    try makeDirectory(parentDirectory(of: path))
    let number = try valueOrSystemError {
      unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }
    let descriptor = FileDescriptor(owning: number)
    do {
      _ = try valueOrSystemError { flock(descriptor.number, LOCK_EX | LOCK_NB) }
    } catch {
      if error.number == EWOULDBLOCK { return nil }
      throw error
    }
    return descriptor
  }
}
