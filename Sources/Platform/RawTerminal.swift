import CPlatform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A terminal's size in characters and, where it tells, in pixels.
package struct TerminalSize: Sendable, Equatable {
  package var columns: Int
  package var rows: Int
  package var width: Int
  package var height: Int

  package init(columns: Int, rows: Int, width: Int = 0, height: Int = 0) {
    self.columns = columns
    self.rows = rows
    self.width = width
    self.height = height
  }

  /// The size of the terminal behind a descriptor; nil where that is no terminal.
  package static func of(_ descriptor: Int32) -> TerminalSize? {
    var size = winsize()
    guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
    return TerminalSize(
      columns: Int(size.ws_col), rows: Int(size.ws_row), width: Int(size.ws_xpixel),
      height: Int(size.ws_ypixel))
  }
}

/// The local terminal, raw for the time of a remote one: every key goes through as it is.
///
/// What was set before is set again by ``leave()``, when the owner goes, at exit, and before a
/// fatal signal that nobody watches ends the process.
package struct RawTerminal: ~Copyable {
  package let descriptor: Int32
  private var isRaw = false

  package init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { if isRaw { platform_terminal_restore() } }

  /// Makes the terminal raw, as ssh does, and keeps what was set before.
  package mutating func enter() throws(SystemError) {
    guard !isRaw else { return }
    guard platform_terminal_save(descriptor) == 0 else { throw .last }
    try makeRaw()
    isRaw = true
  }

  private func makeRaw() throws(SystemError) {
    var settings = termios()
    _ = try valueOrSystemError { unsafe tcgetattr(descriptor, &settings) }
    settings.c_iflag |= tcflag_t(IGNPAR)
    settings.c_iflag &= ~tcflag_t(ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IXOFF)
    #if canImport(Glibc)
      settings.c_iflag &= ~tcflag_t(IUCLC)
    #endif
    settings.c_lflag &= ~tcflag_t(ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | IEXTEN)
    settings.c_oflag &= ~tcflag_t(OPOST)
    unsafe withUnsafeMutablePointer(to: &settings.c_cc) { pointer in
      unsafe pointer.withMemoryRebound(to: cc_t.self, capacity: Int(NCCS)) { characters in
        unsafe characters[Int(VMIN)] = 1
        unsafe characters[Int(VTIME)] = 0
      }
    }
    _ = try valueOrSystemError { unsafe tcsetattr(descriptor, TCSADRAIN, &settings) }
  }

  /// Makes the terminal raw once more, without keeping what it is now.
  package func renew() {
    if isRaw { try? makeRaw() }
  }

  /// Sets what was set before ``enter()``.
  package mutating func leave() {
    guard isRaw else { return }
    platform_terminal_restore()
    // Or the exit would set it once more, under whoever has the terminal by then.
    platform_terminal_forget()
    isRaw = false
  }
}

/// The settings of a terminal as a remote one is told them: number and value of each mode.
package struct TerminalSettings: Sendable {
  package var inputSpeed: UInt32
  package var outputSpeed: UInt32
  package var inputFlags: UInt32
  package var outputFlags: UInt32
  package var controlFlags: UInt32
  package var localFlags: UInt32
  /// By the platform's own indices (`VINTR`, …).
  package var characters: [UInt8]

  /// The settings of the terminal behind a descriptor; nil where that is no terminal.
  package static func of(_ descriptor: Int32) -> TerminalSettings? {
    var settings = termios()
    guard unsafe tcgetattr(descriptor, &settings) == 0 else { return nil }
    let characters = unsafe withUnsafeBytes(of: settings.c_cc) { unsafe Array($0) }
    return TerminalSettings(
      inputSpeed: speed(unsafe cfgetispeed(&settings)),
      outputSpeed: speed(unsafe cfgetospeed(&settings)),
      inputFlags: UInt32(truncatingIfNeeded: settings.c_iflag),
      outputFlags: UInt32(truncatingIfNeeded: settings.c_oflag),
      controlFlags: UInt32(truncatingIfNeeded: settings.c_cflag),
      localFlags: UInt32(truncatingIfNeeded: settings.c_lflag), characters: characters)
  }

  /// Bits per second: Linux names speeds by numbers of its own.
  private static func speed(_ value: speed_t) -> UInt32 {
    #if canImport(Glibc)
      let table: [(speed_t, UInt32)] = [
        (speed_t(B50), 50), (speed_t(B75), 75), (speed_t(B110), 110), (speed_t(B134), 134),
        (speed_t(B150), 150), (speed_t(B200), 200), (speed_t(B300), 300), (speed_t(B600), 600),
        (speed_t(B1200), 1200), (speed_t(B1800), 1800), (speed_t(B2400), 2400),
        (speed_t(B4800), 4800), (speed_t(B9600), 9600), (speed_t(B19200), 19200),
        (speed_t(B38400), 38400), (speed_t(B57600), 57600), (speed_t(B115200), 115200),
        (speed_t(B230400), 230400),
      ]
      return table.first { $0.0 == value }?.1 ?? 38400
    #else
      return UInt32(clamping: value)
    #endif
  }
}
