import CPlatform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The program that this process runs.
package enum OwnProcess {
  /// The path of its file; nil where the system does not tell.
  ///
  /// Not argv's first word, which is a name for `PATH` and may lead to another program by now.
  package static var path: String? {
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
      // Replaced on disk while it runs: the link still leads to what runs, though lists of
      // processes then show "exe".
      if unsafe access(path, X_OK) != 0 { return "/proc/self/exe" }
    #endif
    return path
  }

  /// Whether that path leads to this program, by whatever name.
  package static func isAt(_ other: String) -> Bool {
    var own = stat()
    var status = stat()
    guard let path, unsafe stat(path, &own) == 0, unsafe stat(other, &status) == 0 else {
      return false
    }
    return own.st_dev == status.st_dev && own.st_ino == status.st_ino
  }

  /// Where ``startAgain(variable:descriptor:)`` puts the descriptor.
  package static let inheritedDescriptor: Int32 = 3

  /// Starts this program again: same argv to the byte, same environment and one variable, same
  /// standard descriptors and one more, which is ``inheritedDescriptor`` there.
  ///
  /// A fork would copy a process whose other threads are gone.
  ///
  /// - Parameter variable: `NAME=value`.
  /// - Returns: the process id, to be waited for with ``ChildProcess/wait(for:)``.
  package static func startAgain(
    variable: String, descriptor: Int32
  ) throws(SystemError) -> Int32 {
    var environment: [UnsafeMutablePointer<CChar>?] = unsafe []
    var entry = unsafe environ
    while let pointer = unsafe entry.pointee {
      unsafe environment.append(pointer)
      unsafe entry += 1
    }
    let added = unsafe strdup(variable)
    defer { unsafe free(added) }
    unsafe environment += [added, nil]
    var child: pid_t = 0
    let standard = [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    guard let path else { throw SystemError(ENOENT) }
    let result = unsafe environment.withUnsafeBufferPointer { environment in
      unsafe standard.withUnsafeBufferPointer { standard -> Int32 in
        guard let environment = environment.baseAddress, let standard = standard.baseAddress else {
          return EINVAL
        }
        return unsafe platform_spawn_with(
          &child, path, CommandLine.unsafeArgv, environment, standard, descriptor, nil, 0)
      }
    }
    guard result == 0 else { throw SystemError(result) }
    return child
  }
}
