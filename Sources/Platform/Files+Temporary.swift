#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Files {
  /// Makes a folder that only this user can look into, gone at the next start of the machine at the
  /// latest; whoever asked for it removes it.
  ///
  /// - Parameter name: how its name begins.
  package static func makeTemporaryDirectory(
    _ name: String, in environment: Environment
  ) throws(SystemError) -> String {
    let bases = [environment["XDG_RUNTIME_DIR"], environment["TMPDIR"], "/tmp"]
    var problem = SystemError(ENOENT)
    for base in bases.compactMap(\.self) where base.hasPrefix("/") {
      var template = Array("\(base)/\(name).XXXXXX".utf8CString)
      let path = unsafe template.withUnsafeMutableBufferPointer { buffer -> String? in
        guard let start = buffer.baseAddress, unsafe mkdtemp(start) != nil else { return nil }
        return unsafe String(cString: start)
      }
      if let path { return path }
      problem = .last
    }
    throw problem
  }

  /// The folder that relative paths begin in; nil where it is gone.
  package static var workingDirectory: String? {
    guard let path = unsafe getcwd(nil, 0) else { return nil }
    defer { unsafe free(path) }
    return unsafe String(cString: path)
  }
}
