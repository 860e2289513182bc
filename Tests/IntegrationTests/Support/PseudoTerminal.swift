import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A program on a terminal of its own, typed to and read from as a person would.
final class PseudoTerminal {
  struct Timeout: Error, CustomStringConvertible {
    var awaited: String
    var screen: String
    var description: String { "«\(awaited)» did not appear on:\n\(screen)" }
  }

  private let master: Int32
  let child: Int32
  /// Everything the program has written to the terminal, with carriage returns removed.
  private(set) var screen = ""
  private var isEnded = false

  init(
    _ path: String, _ arguments: [String], environment: [String: String],
    rows: UInt16 = 24, columns: UInt16 = 80
  ) throws {
    master = try valueOrSystemError { unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) }
    let terminal = try Self.unlockedName(of: master)
    child = try Self.spawn(path, arguments, environment, terminal: terminal)
    resize(rows: rows, columns: columns)
  }

  deinit {
    if !isEnded {
      kill(child, SIGKILL)
      _ = ChildProcess.wait(for: child)
    }
    close(master)
  }

  func resize(rows: UInt16, columns: UInt16) {
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    _ = unsafe ioctl(master, UInt(TIOCSWINSZ), &size)
  }

  func type(_ text: String) throws { try writeAll(master, text.utf8) }

  /// Reads until `text` stands on what came after the last awaited text.
  @discardableResult
  func wait(for text: String, within limit: Duration = .seconds(20)) throws -> String {
    let deadline = ContinuousClock.now + limit
    while true {
      if let range = screen.range(of: text, from: consumed) {
        defer { consumed = range.upperBound }
        return String(screen[consumed..<range.upperBound])
      }
      guard try readMore(until: deadline) else {
        throw Timeout(awaited: text, screen: String(screen[consumed...]))
      }
    }
  }

  private var consumed = "".startIndex

  /// Reads to the program's end.
  func end(within limit: Duration = .seconds(20)) throws -> ChildProcess.Ending {
    let deadline = ContinuousClock.now + limit
    while try readMore(until: deadline) {}
    // The terminal may be let go before the program ends.
    while !hasEnded {
      guard ContinuousClock.now < deadline else {
        throw Timeout(awaited: "the end", screen: screen)
      }
      _ = poll(nil, 0, 5)
    }
    isEnded = true
    return ChildProcess.wait(for: child)
  }

  /// Sends a signal and reads to the program's end.
  ///
  /// - Parameter isRepeated: whether it is sent again where the program goes on.
  func end(by signal: Int32, isRepeated: Bool) throws -> ChildProcess.Ending {
    for _ in 0..<(isRepeated ? 19 : 0) {
      kill(child, signal)
      do { return try end(within: .seconds(1)) } catch is Timeout {}
    }
    kill(child, signal)
    return try end()
  }

  /// Whether the program is there to be waited for.
  private var hasEnded: Bool {
    var information = unsafe siginfo_t()
    let options = WEXITED | WNOHANG | WNOWAIT
    let result = unsafe waitid(P_PID, id_t(child), &information, options)
    return result == 0 ? unsafe information.si_signo == SIGCHLD : false
  }

  /// Whether the terminal echoes and edits lines, as a shell expects to find it.
  var isCooked: Bool {
    var settings = termios()
    guard unsafe tcgetattr(master, &settings) == 0 else { return false }
    return settings.c_lflag & tcflag_t(ECHO) != 0 && settings.c_lflag & tcflag_t(ICANON) != 0
  }

  private func readMore(until deadline: ContinuousClock.Instant) throws -> Bool {
    let left = deadline - .now
    guard left > .zero else { return false }
    var ready = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
    let milliseconds = Int32(clamping: left.components.seconds * 1000 + 1)
    guard unsafe poll(&ready, 1, milliseconds) > 0 else { return false }
    // A terminal whose last program has gone answers EIO on Linux.
    guard let bytes = try? readSome(master, limit: 4096), !bytes.isEmpty else { return false }
    let distance = screen.utf8.distance(from: screen.startIndex, to: consumed)
    screen += String(decoding: bytes, as: UTF8.self).filter { $0 != "\r" }
      .replacingLineEnds()
    consumed = screen.utf8.index(screen.startIndex, offsetBy: distance)
    return true
  }

  #if canImport(Glibc)
    // The Glibc module is built without the declarations of posix_openpt and its like.
    private static let newSession: Int16 = 0x80  // POSIX_SPAWN_SETSID

    private static func unlockedName(of master: Int32) throws -> String {
      var locked: Int32 = 0
      var number: UInt32 = 0
      _ = try valueOrSystemError { unsafe ioctl(master, 0x4004_5431, &locked) }  // TIOCSPTLCK
      _ = try valueOrSystemError { unsafe ioctl(master, 0x8004_5430, &number) }  // TIOCGPTN
      return "/dev/pts/\(number)"
    }
  #else
    private static let newSession = Int16(POSIX_SPAWN_SETSID)

    private static func unlockedName(of master: Int32) throws -> String {
      guard grantpt(master) == 0, unlockpt(master) == 0, let name = unsafe ptsname(master) else {
        throw SystemError.last
      }
      return unsafe String(cString: name)
    }
  #endif

  private static func spawn(
    _ path: String, _ arguments: [String], _ environment: [String: String], terminal: String
  ) throws -> Int32 {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    // The leader of a new session gets the first terminal it opens as its own. This thread may
    // block signals, which the program would inherit.
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, newSession | Int16(POSIX_SPAWN_SETSIGMASK))
    unsafe posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, 0, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, 0, 2)
    let argv = unsafe ([path] + arguments).map {
      unsafe strdup($0) as UnsafeMutablePointer<CChar>?
    }
    let envp = unsafe environment.map {
      unsafe strdup("\($0.key)=\($0.value)") as UnsafeMutablePointer<CChar>?
    }
    defer { unsafe (argv + envp).forEach { unsafe free($0) } }
    var child: pid_t = 0
    let result = unsafe posix_spawn(
      &child, path, &actions, &attributes, argv + [nil], envp + [nil])
    guard result == 0 else { throw SystemError(result) }
    return child
  }
}

extension String {
  fileprivate func replacingLineEnds() -> String {
    // "\r\n" is one Character, which the filter above keeps.
    String(map { $0 == "\r\n" ? "\n" : $0 })
  }

  fileprivate func range(of text: String, from start: Index) -> Range<Index>? {
    self[start...].firstRange(of: text)
  }
}
