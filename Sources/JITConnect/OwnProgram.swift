#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The file that this process runs.
enum OwnProgram {
  /// Its path; nil where the system does not tell.
  static var path: String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    #if canImport(Darwin)
      var size = UInt32(buffer.count)
      guard unsafe _NSGetExecutablePath(&buffer, &size) == 0 else { return nil }
    #else
      guard unsafe readlink("/proc/self/exe", &buffer, buffer.count - 1) > 0 else { return nil }
    #endif
    let path = String(
      decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    #if canImport(Glibc)
      // Replaced on disk while it runs: the link still leads to what runs.
      if unsafe access(path, X_OK) != 0 { return "/proc/self/exe" }
    #endif
    return path
  }

  /// Whether that path leads to this program, by whatever name.
  static func isAt(_ other: String) -> Bool {
    var own = stat()
    var status = stat()
    guard let path, unsafe stat(path, &own) == 0, unsafe stat(other, &status) == 0 else {
      return false
    }
    return own.st_dev == status.st_dev && own.st_ino == status.st_ino
  }
}
