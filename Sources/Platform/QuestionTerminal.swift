import CPlatform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The user's own terminal, opened for a question whatever the standard descriptors are.
package struct QuestionTerminal: ~Copyable {
  /// How an answer ended.
  package enum Reply: Sendable {
    /// What was typed, without the line end.
    case line(SecretBytes)
    /// The end of input (Ctrl-D) with nothing typed.
    case end
    /// Ctrl-C, or the caller's descriptor woke us.
    case interrupted
  }

  private let descriptor: FileDescriptor

  /// Opens the terminal; fails where the process has none (`ENXIO`) or `path` is no terminal.
  package init(path: String = "/dev/tty") throws(SystemError) {
    let number = try valueOrSystemError {
      unsafe open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    }
    let owned = FileDescriptor(owning: number)
    guard isatty(number) == 1 else { throw SystemError(ENOTTY) }
    descriptor = owned
  }

  /// Writes `prompt` and reads one line.
  ///
  /// The terminal's settings are back on every way out: the return, an error, an exit of the
  /// process and a signal that ends it.
  ///
  /// What was typed before the question is thrown away, so that no stray line answers it. Ctrl-Z
  /// suspends, and the question is asked again afterwards.
  ///
  /// - Parameters:
  ///   - echo: whether the answer is shown while it is typed.
  ///   - wake: a descriptor whose readability ends the question as interrupted; not read.
  package borrowing func ask(
    _ prompt: String, echo: Bool, wake: Int32? = nil
  ) throws(SystemError) -> Reply {
    // The settings to restore are kept in one place per process.
    try oneQuestion.withLock { _ throws(SystemError) in
      while true {
        if let reply = try askOnce(prompt, echo: echo, wake: wake) { return reply }
        Signals.suspend()
      }
    }
  }

  /// Nil is Ctrl-Z.
  private borrowing func askOnce(
    _ prompt: String, echo: Bool, wake: Int32?
  ) throws(SystemError) -> Reply? {
    let tty = descriptor.number
    var before = termios()
    _ = try valueOrSystemError { unsafe tcgetattr(tty, &before) }
    guard platform_terminal_save(tty) == 0 else { throw .last }
    defer {
      _ = unsafe tcsetattr(tty, TCSANOW, &before)
      platform_terminal_forget()
    }
    let (interrupt, suspend) = (controlCharacter(before, VINTR), controlCharacter(before, VSUSP))
    var during = before
    // Ctrl-C and Ctrl-Z end the line instead of raising a signal: no handler has to be installed,
    // and the kernel keeps its line editing.
    during.c_lflag |= tcflag_t(ICANON | IEXTEN | ECHOE | ECHOK | ECHONL)
    during.c_lflag &= ~tcflag_t(ISIG | ECHO)
    if echo { during.c_lflag |= tcflag_t(ECHO) }
    during.c_iflag |= tcflag_t(ICRNL)
    during.c_oflag |= tcflag_t(OPOST | ONLCR)
    setControlCharacter(&during, VEOL, interrupt)
    setControlCharacter(&during, VEOL2, suspend)
    _ = try valueOrSystemError { unsafe tcsetattr(tty, TCSAFLUSH, &during) }

    try writeAll(tty, prompt.utf8)
    var typed: [UInt8] = []
    defer { overwrite(&typed) }
    while true {
      if let wake, try wokenBefore(tty, wake) {
        try writeAll(tty, [UInt8(ascii: "\n")])
        return .interrupted
      }
      var chunk = try readSome(tty, limit: 4096)
      defer { overwrite(&chunk) }
      if chunk.isEmpty {
        try writeAll(tty, [UInt8(ascii: "\n")])
        return typed.isEmpty ? .end : .line(SecretBytes(taking: &typed))
      }
      let last = chunk.removeLast()
      typed += chunk
      switch last {
      case UInt8(ascii: "\n"):
        return .line(SecretBytes(taking: &typed))
      case interrupt where interrupt != disabled:
        try writeAll(tty, [UInt8(ascii: "\n")])
        return .interrupted
      case suspend where suspend != disabled:
        try writeAll(tty, [UInt8(ascii: "\n")])
        return nil
      default:
        typed.append(last)
        guard typed.count <= 64 << 10 else { throw SystemError(E2BIG) }
      }
    }
  }

  /// Waits for the terminal or `wake`; true is `wake`.
  private borrowing func wokenBefore(_ tty: Int32, _ wake: Int32) throws(SystemError) -> Bool {
    var polls = [
      pollfd(fd: tty, events: Int16(POLLIN), revents: 0),
      pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
    ]
    _ = try valueOrSystemError { unsafe poll(&polls, nfds_t(polls.count), -1) }
    return polls[1].revents & Int16(POLLIN) != 0
  }
}

/// The size of a terminal in columns; nil where it has none or is no terminal.
package func terminalColumns(_ descriptor: Int32) -> Int? {
  var size = winsize()
  guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
  return Int(size.ws_col)
}

private let oneQuestion = Mutex(())

/// A control character that is switched off (`_POSIX_VDISABLE`).
#if canImport(Darwin)
  private let disabled: UInt8 = 0xFF
#else
  private let disabled: UInt8 = 0
#endif

private func controlCharacter(_ settings: termios, _ index: Int32) -> UInt8 {
  var characters = settings.c_cc
  return unsafe withUnsafeBytes(of: &characters) { bytes in
    bytes.indices.contains(Int(index)) ? unsafe bytes[Int(index)] : disabled
  }
}

private func setControlCharacter(_ settings: inout termios, _ index: Int32, _ value: UInt8) {
  unsafe withUnsafeMutableBytes(of: &settings.c_cc) { bytes in
    if bytes.indices.contains(Int(index)) { unsafe bytes[Int(index)] = value }
  }
}
