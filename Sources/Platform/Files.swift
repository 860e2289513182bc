#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Our own files: created 0600 from the start, replaced in one step, changed under a lock.
package enum Files {
  /// What a path is, without following a last link.
  package struct Kind: Sendable {
    package var isRegular: Bool
    package var isDirectory: Bool
    package var isLink: Bool
    package var owner: UInt32
    /// The permission bits.
    package var mode: UInt32
    package var size: Int
  }

  /// What lies at `path`; nil where nothing does. Follows links only when asked.
  package static func kind(of path: String, followingLinks: Bool = false) -> Kind? {
    var status = stat()
    let result = unsafe followingLinks ? stat(path, &status) : lstat(path, &status)
    guard result == 0 else { return nil }
    let format = status.st_mode & S_IFMT
    return Kind(
      isRegular: format == S_IFREG, isDirectory: format == S_IFDIR, isLink: format == S_IFLNK,
      owner: status.st_uid,
      mode: UInt32(status.st_mode & 0o7777), size: Int(status.st_size))
  }

  /// When a file's content was last changed, in seconds since 1970; nil where there is none.
  package static func modificationTime(of path: String) -> Double? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    #if canImport(Darwin)
      let time = status.st_mtimespec
    #else
      let time = status.st_mtim
    #endif
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// The whole file, at most `limit` bytes (more is an error: these files are small).
  package static func read(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
    let number = try valueOrSystemError { unsafe open(path, O_RDONLY | O_CLOEXEC) }
    let descriptor = FileDescriptor(owning: number)
    var bytes: [UInt8] = []
    while true {
      let chunk = try readSome(descriptor.number, limit: 64 << 10)
      if chunk.isEmpty { return bytes }
      bytes += chunk
      if bytes.count > limit { throw SystemError(EFBIG) }
    }
  }

  /// The names in a folder, in no order, without `.` and `..`.
  package static func names(in folder: String) throws(SystemError) -> [String] {
    guard let stream = unsafe opendir(folder) else { throw .last }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Makes a folder and its missing parents, each readable by this user alone.
  package static func makeDirectory(_ path: String) throws(SystemError) {
    if unsafe mkdir(path, 0o700) == 0 { return }
    let number = errno
    switch number {
    case EEXIST:
      guard kind(of: path, followingLinks: true)?.isDirectory == true else {
        throw SystemError(ENOTDIR)
      }
    case ENOENT:
      let parent = parentDirectory(of: path)
      guard parent != path else { throw SystemError(number) }
      try makeDirectory(parent)
      if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw .last }
    default:
      throw SystemError(number)
    }
  }

  /// The folder that holds `path`.
  package static func parentDirectory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Replaces a file in one step: a reader sees the old content or the new, never a part.
  ///
  /// A link at `path` is replaced, not followed. Missing folders are made (0700).
  ///
  /// - Parameter onlyIfAbsent: fails with `EEXIST` where anything lies at `path`.
  package static func replace(
    _ path: String, with bytes: some Collection<UInt8>, mode: UInt32 = 0o600,
    onlyIfAbsent: Bool = false
  ) throws(SystemError) {
    let directory = parentDirectory(of: path)
    try makeDirectory(directory)
    var template = Array("\(path).XXXXXX".utf8CString)
    let number = try valueOrSystemError {
      unsafe template.withUnsafeMutableBufferPointer { buffer -> Int32 in
        guard let base = buffer.baseAddress else { return -1 }
        return unsafe mkstemp(base)
      }
    }
    let descriptor = FileDescriptor(owning: number)
    let temporary = unsafe template.withUnsafeBufferPointer { buffer -> String in
      guard let base = buffer.baseAddress else { return "" }
      return unsafe String(cString: base)
    }
    closeOnExec(descriptor.number)
    do throws(SystemError) {
      if mode != 0o600 { _ = try valueOrSystemError { fchmod(descriptor.number, mode_t(mode)) } }
      try writeAll(descriptor.number, bytes)
      _ = try valueOrSystemError { fsync(descriptor.number) }
      // Where a disk knows no second name for a file, nothing else can keep it from being replaced.
      if onlyIfAbsent, unsafe link(temporary, path) == 0 {
        unsafe unlink(temporary)
        return
      }
      if onlyIfAbsent, ![EPERM, EOPNOTSUPP, ENOSYS].contains(errno) { throw SystemError.last }
      _ = try valueOrSystemError { unsafe rename(temporary, path) }
    } catch {
      unsafe unlink(temporary)
      throw error
    }
  }

  /// Runs `body` while this process alone holds the lock beside `path` (`path.lock`), across
  /// processes. Not re-entrant.
  ///
  /// - Parameter patience: how long another process is waited for.
  /// - Throws: ``LockHeld`` after that, and what `body` throws.
  package static func withLock<Result>(
    on path: String, patience: Duration = .seconds(10), _ body: () throws -> Result
  ) throws -> Result {
    try makeDirectory(parentDirectory(of: path))
    let number = try valueOrSystemError {
      unsafe open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }
    // Closing the descriptor lets the lock go. The file stays: removing it would let two
    // processes lock two different files of one name.
    let descriptor = FileDescriptor(owning: number)
    try lock(descriptor, of: path + ".lock", patience: patience)
    return try body()
  }

  /// A file's lock that somebody else did not let go.
  package struct LockHeld: Error, CustomStringConvertible {
    package var path: String
    package var description: String { "another process holds the lock \(path)" }
  }

  /// A process that is stopped, or hangs on a network's disk, keeps its lock for ever.
  private static func lock(
    _ descriptor: borrowing FileDescriptor, of path: String, patience: Duration
  ) throws {
    let number = descriptor.number
    let deadline = ContinuousClock.now + patience
    while true {
      do {
        _ = try valueOrSystemError { flock(number, LOCK_EX | LOCK_NB) }
        return
      } catch {
        guard error.number == EWOULDBLOCK else { throw error }
        guard ContinuousClock.now < deadline else { throw LockHeld(path: path) }
        _ = poll(nil, 0, 20)
      }
    }
  }

  /// Removes a file, or a link in its place; that there is none is fine.
  package static func remove(_ path: String) throws(SystemError) {
    do {
      _ = try valueOrSystemError { unsafe unlink(path) }
    } catch {
      guard error.number == ENOENT || error.number == ENOTDIR else { throw error }
    }
  }

  /// Adds to the end of a file, with a line end first where the file lacks one.
  ///
  /// Under its lock, which is not waited for long: whoever may read the file may hold one, and what
  /// is appended in one write is whole without it.
  package static func appendLine(_ line: String, to path: String) throws {
    try makeDirectory(parentDirectory(of: path))
    let number = try valueOrSystemError {
      unsafe open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    }
    let descriptor = FileDescriptor(owning: number)
    var status = stat()
    if unsafe fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
      do {
        try lock(descriptor, of: path, patience: .seconds(1))
      } catch is LockHeld {}
    }
    var bytes = Array(line.utf8) + [UInt8(ascii: "\n")]
    let end = try valueOrSystemError { lseek(descriptor.number, 0, SEEK_END) }
    if end > 0 {
      _ = try valueOrSystemError { lseek(descriptor.number, -1, SEEK_END) }
      if try readSome(descriptor.number, limit: 1) != [UInt8(ascii: "\n")] {
        bytes.insert(UInt8(ascii: "\n"), at: 0)
      }
    }
    try writeAll(descriptor.number, bytes)
  }
}
