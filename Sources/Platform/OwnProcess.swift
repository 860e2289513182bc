import CPlatform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// This program, once more.
package enum OwnProcess {
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
    let path = executablePath
    let result = unsafe environment.withUnsafeBufferPointer { environment in
      unsafe standard.withUnsafeBufferPointer { standard -> Int32 in
        guard let environment = environment.baseAddress, let standard = standard.baseAddress else {
          return EINVAL
        }
        return unsafe platform_spawn_with(
          &child, path, CommandLine.unsafeArgv, environment, standard, descriptor, nil,
          Int32(PLATFORM_SPAWN_KEEP_IGNORED))
      }
    }
    guard result == 0 else { throw SystemError(result) }
    return child
  }

  /// Not argv's first word, which is a name for `PATH` and may lead to another program by now.
  private static var executablePath: String {
    #if canImport(Darwin)
      var buffer = [CChar](repeating: 0, count: 4096)
      var size = UInt32(buffer.count)
      guard unsafe _NSGetExecutablePath(&buffer, &size) == 0 else {
        return ""
      }
      return String(
        decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    #else
      let link = "/proc/self/exe"
      var buffer = [CChar](repeating: 0, count: 4096)
      let count = unsafe readlink(link, &buffer, buffer.count)
      let path = String(
        decoding: buffer.prefix(max(count, 0)).map(UInt8.init(bitPattern:)), as: UTF8.self)
      // The link names the process "exe" in lists, but leads to it even after an update.
      return Files.kind(of: path) != nil ? path : link
    #endif
  }
}
