import Platform
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A folder that is gone with its owner.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/jitconnect-test.XXXXXX".utf8CString)
    path = try unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let name = buffer.baseAddress, unsafe mkdtemp(name) != nil else {
        throw SystemError.last
      }
      return unsafe String(cString: name)
    }
  }

  deinit {
    _ = try? ChildProcess(path: "/bin/rm", arguments: ["-rf", path], environment: [:]).run()
  }
}

@Suite struct FilesTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test("a replaced file is whole, private whatever the umask, and leaves nothing beside it")
  func replace() throws {
    let path = folder.path + "/deep/er/file"
    try Files.replace(path, with: "one".utf8)
    try Files.replace(path, with: "two".utf8)
    #expect(try Files.read(path) == Array("two".utf8))
    #expect(Files.kind(of: path)?.mode == 0o600)
    #expect(Files.kind(of: folder.path + "/deep")?.mode == 0o700)
    let listing = try ChildProcess(
      path: "/bin/ls", arguments: ["-A", folder.path + "/deep/er"], environment: [:]
    ).run()
    #expect(listing.standardOutput == Array("file\n".utf8))
  }

  @Test("a link in the place of a file is replaced, not followed")
  func link() throws {
    let target = folder.path + "/target"
    let path = folder.path + "/link"
    try Files.replace(target, with: "precious".utf8)
    #expect(unsafe symlink(target, path) == 0)
    try Files.replace(path, with: "new".utf8)
    #expect(try Files.read(target) == Array("precious".utf8))
    #expect(Files.kind(of: path)?.isRegular == true)
  }

  @Test("a file that cannot be written stays as it was")
  func unwritable() throws {
    #expect(throws: SystemError.self) {
      try Files.replace(folder.path, with: "a folder is in the way".utf8)
    }
    #expect(Files.kind(of: folder.path)?.isDirectory == true)
  }

  @Test("lines are added under a lock, each on a line of its own")
  func appendLine() async throws {
    let path = folder.path + "/lines"
    try Files.replace(path, with: "no line end".utf8)
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<50 {
        group.addTask { try? Files.appendLine("line \(number)", to: path) }
      }
    }
    let lines = String(decoding: try Files.read(path), as: UTF8.self).split(separator: "\n")
    #expect(lines.first == "no line end")
    #expect(Set(lines.dropFirst()) == Set((0..<50).map { "line \($0)" }))
  }

  @Test("a change under the lock is never lost to another")
  func lock() async throws {
    let path = folder.path + "/count"
    try Files.replace(path, with: "0".utf8)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<40 {
        group.addTask {
          try? Files.withLock(on: path) {
            let count = Int(String(decoding: try Files.read(path), as: UTF8.self)) ?? -1000
            try Files.replace(path, with: String(count + 1).utf8)
          }
        }
      }
    }
    #expect(try Files.read(path) == Array("40".utf8))
  }

  @Test("a lock that is never let go is waited for only so long")
  func heldLock() throws {
    let path = folder.path + "/file"
    let holder = try Files.tryLock(path + ".lock")
    let isHeld = holder != nil
    #expect(isHeld)
    #expect(throws: Files.LockHeld.self) {
      try Files.withLock(on: path, patience: .milliseconds(50)) {}
    }
    _ = consume holder
    try Files.withLock(on: path, patience: .zero) {}
  }

  @Test("a file over the limit is refused, one that is missing says so")
  func limits() throws {
    let path = folder.path + "/big"
    try Files.replace(path, with: [UInt8](repeating: 0, count: 5000))
    #expect(throws: SystemError(EFBIG)) { try Files.read(path, limit: 4999) }
    #expect(throws: SystemError(ENOENT)) { try Files.read(folder.path + "/none") }
  }
}
