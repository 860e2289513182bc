import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The folder that holds all that the demo writes, gone with its owner.
struct DemoFolder: ~Copyable {
  let path: String

  init(_ environment: Environment) throws {
    let base = environment["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
    var template = Array("\(base)/jitconnect-demo.XXXXXX".utf8CString)
    let made = try unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let name = buffer.baseAddress, unsafe mkdtemp(name) != nil else {
        throw SystemError.last
      }
      return unsafe String(cString: name)
    }
    for name in ["home", "work", "config", "cache", "state", "azure"] {
      do {
        try Files.makeDirectory("\(made)/\(name)")
      } catch {
        try? FileManager.default.removeItem(atPath: made)
        throw error
      }
    }
    path = made
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
