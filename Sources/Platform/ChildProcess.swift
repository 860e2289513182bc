import CPlatform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Another program, run to its end with its output collected.
package struct ChildProcess: Sendable {
  /// How a process ended.
  package enum Ending: Sendable, Equatable {
    case exited(Int32)
    case signalled(Int32)
    case timedOut
  }

  package struct Output: Sendable {
    package var ending: Ending
    package var standardOutput: [UInt8]
    package var standardError: [UInt8]
  }

  /// An absolute path; see ``find(_:in:)``.
  package var path: String
  /// Without the program's own name.
  package var arguments: [String]
  package var environment: [String: String]
  /// The working folder; nil is this process's own.
  package var directory: String?

  package init(
    path: String, arguments: [String], environment: [String: String], directory: String? = nil
  ) {
    self.path = path
    self.arguments = arguments
    self.environment = environment
    self.directory = directory
  }

  /// The program of that name on `PATH`; nil where there is none. Relative entries of `PATH` are
  /// passed over: they would run whatever lies in the current folder.
  ///
  /// - Parameter name: an absolute path is looked at where it is.
  package static func find(_ name: String, in environment: Environment) -> String? {
    if name.hasPrefix("/") { return isProgram(name) ? name : nil }
    for folder in (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
    where folder.hasPrefix("/") {
      let path = "\(folder)/\(name)"
      if isProgram(path) { return path }
    }
    return nil
  }

  private static func isProgram(_ path: String) -> Bool {
    unsafe access(path, X_OK) == 0
      && Files.kind(of: path, followingLinks: true)?.isRegular == true
  }

  /// Starts the program on the given descriptors, which stay the caller's.
  ///
  /// - Returns: the process id, to be waited for with ``wait(for:)``.
  package func start(
    input: Int32, output: Int32, error: Int32, newSession: Bool = false
  ) throws(SystemError) -> Int32 {
    try start(
      input: input, output: output, error: error,
      flags: newSession ? Int32(PLATFORM_SPAWN_NEW_SESSION) : 0)
  }

  private func start(
    input: Int32, output: Int32, error: Int32, flags: Int32
  ) throws(SystemError) -> Int32 {
    let argv = unsafe ([path] + arguments).map { unsafe strdup($0) as UnsafeMutablePointer<CChar>? }
    let envp = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") }
    defer { unsafe (argv + envp).forEach { unsafe free($0) } }
    var child: pid_t = 0
    var descriptors = [input, output, error]
    let result = unsafe (argv + [nil]).withUnsafeBufferPointer { argv in
      unsafe (envp + [nil]).withUnsafeBufferPointer { envp in
        unsafe descriptors.withUnsafeMutableBufferPointer { descriptors -> Int32 in
          guard let argv = argv.baseAddress, let envp = envp.baseAddress,
            let descriptors = descriptors.baseAddress
          else { return EINVAL }
          var result = ETXTBSY
          // Somebody has the program open for writing, be it only a child that has not let go of
          // our descriptors yet: a moment later nobody does.
          for attempt in 0..<10 where result == ETXTBSY {
            if attempt > 0 { _ = poll(nil, 0, 10) }
            result = unsafe platform_spawn(
              &child, path, argv, envp, descriptors, directory, flags)
          }
          return result
        }
      }
    }
    guard result == 0 else { throw SystemError(result) }
    return child
  }

  /// Waits for a process of ours to end.
  package static func wait(for child: Int32) -> Ending {
    ending(of: child, options: 0) ?? .exited(-1)
  }

  /// How a process of ours ended; nil while it runs.
  private static func endingNow(of child: Int32) -> Ending? { ending(of: child, options: WNOHANG) }

  private static func ending(of child: Int32, options: Int32) -> Ending? {
    var status: Int32 = 0
    while true {
      let result = unsafe waitpid(child, &status, options)
      if result == child { break }
      if result == 0 { return nil }
      if errno != EINTR { return .exited(-1) }
    }
    let signal = platform_wait_signal(status)
    return signal == 0 ? .exited(platform_wait_exit_status(status)) : .signalled(signal)
  }

  /// Runs the program to its end, or ends it after `timeout`. Blocks: call it from a thread that
  /// may (see ``Blocking``).
  ///
  /// - Parameters:
  ///   - input: given on standard input; nil is `/dev/null`.
  ///   - limit: the most bytes kept of each output; the rest is read and dropped.
  ///   - wake: a descriptor whose readability ends the program; not read.
  ///   - ownGroup: what the program has started is ended with it, and both with this process
  ///     (see ``ChildGroups``); it cannot read the terminal then.
  /// - Throws: `EINTR` when woken.
  package func run(
    input: SecretBytes? = nil, timeout: Duration = .seconds(10), limit: Int = 1 << 20,
    wake: Int32? = nil, ownGroup: Bool = false
  ) throws(SystemError) -> Output {
    let null = FileDescriptor(
      owning: try valueOrSystemError { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
    let out = try makePipe()
    let outRead = FileDescriptor(owning: out.read)
    let outWrite = FileDescriptor(owning: out.write)
    let err = try makePipe()
    let errRead = FileDescriptor(owning: err.read)
    let errWrite = FileDescriptor(owning: err.write)
    var inputRead: Int32 = null.number
    var inputWrite: Int32 = -1
    if input != nil { (inputRead, inputWrite) = try makePipe() }
    defer {
      if input != nil { close(inputRead) }
      if inputWrite >= 0 { close(inputWrite) }
    }

    let descriptors = (inputRead, outWrite.number, errWrite.number)
    let spawn = { () throws(SystemError) -> Int32 in
      try start(
        input: descriptors.0, output: descriptors.1, error: descriptors.2,
        flags: ownGroup ? Int32(PLATFORM_SPAWN_NEW_GROUP) : 0)
    }
    let child = ownGroup ? try ChildGroups.start(spawn) : try spawn()
    let endingNow = {
      ownGroup
        ? ChildGroups.reap(child) { Self.endingNow(of: child) } : Self.endingNow(of: child)
    }
    _ = consume outWrite
    _ = consume errWrite
    if let input {
      // Secrets are shorter than a pipe's buffer, so this cannot block.
      _ = unsafe input.withBytes { unsafe write(inputWrite, $0.baseAddress, $0.count) }
      close(inputWrite)
      inputWrite = -1
    }

    var output = Output(ending: .timedOut, standardOutput: [], standardError: [])
    let deadline = ContinuousClock.now + timeout
    var polls = [
      pollfd(fd: outRead.number, events: Int16(POLLIN), revents: 0),
      pollfd(fd: errRead.number, events: Int16(POLLIN), revents: 0),
    ]
    polls.append(pollfd(fd: wake ?? -1, events: Int16(POLLIN), revents: 0))
    while true {
      // With both outputs closed it is about to end, or says nothing more for ever.
      let isSilent = polls[..<2].allSatisfy { $0.fd < 0 }
      if isSilent, let ending = endingNow() {
        output.ending = ending
        return output
      }
      let left = deadline - .now
      let isWoken = polls[2].revents != 0
      guard left > .zero, !isWoken else {
        kill(ownGroup ? -child : child, SIGKILL)
        while endingNow() == nil { _ = poll(nil, 0, 1) }
        if isWoken { throw SystemError(EINTR) }
        return output
      }
      let milliseconds = isSilent ? 2 : Int32(clamping: left.components.seconds * 1000 + 20)
      guard unsafe poll(&polls, nfds_t(polls.count), milliseconds) > 0 else { continue }
      for index in 0..<2 where polls[index].fd >= 0 && polls[index].revents != 0 {
        let chunk = (try? readSome(polls[index].fd, limit: 64 << 10)) ?? []
        if chunk.isEmpty { polls[index].fd = -1 }
        if index == 0 {
          output.standardOutput += chunk.prefix(limit - output.standardOutput.count)
        } else {
          output.standardError += chunk.prefix(limit - output.standardError.count)
        }
      }
    }
  }
}
