import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The local terminal's settings in the form of RFC 4254 §8.
enum TerminalModes {
  private enum Group { case input, local, output, control }

  /// Opcode and index of each control character.
  private static let characters: [(UInt8, Int)] = [
    (1, Int(VINTR)), (2, Int(VQUIT)), (3, Int(VERASE)), (4, Int(VKILL)), (5, Int(VEOF)),
    (6, Int(VEOL)), (8, Int(VSTART)), (9, Int(VSTOP)), (10, Int(VSUSP)), (13, Int(VWERASE)),
    (14, Int(VLNEXT)), (12, Int(VREPRINT)), (7, Int(VEOL2)), (18, Int(VDISCARD)),
  ]

  /// Opcode, field and bit of each flag; what matters least comes last.
  private static let flags: [(UInt8, Group, UInt32)] = [
    (50, .local, UInt32(ISIG)), (51, .local, UInt32(ICANON)), (53, .local, UInt32(ECHO)),
    (54, .local, UInt32(ECHOE)), (55, .local, UInt32(ECHOK)), (56, .local, UInt32(ECHONL)),
    (59, .local, UInt32(IEXTEN)), (60, .local, UInt32(ECHOCTL)), (61, .local, UInt32(ECHOKE)),
    (36, .input, UInt32(ICRNL)), (38, .input, UInt32(IXON)), (39, .input, UInt32(IXANY)),
    (40, .input, UInt32(IXOFF)), (42, .input, UInt32(IUTF8)), (34, .input, UInt32(INLCR)),
    (35, .input, UInt32(IGNCR)), (33, .input, UInt32(ISTRIP)), (30, .input, UInt32(IGNPAR)),
    (70, .output, UInt32(OPOST)), (72, .output, UInt32(ONLCR)), (73, .output, UInt32(OCRNL)),
    (74, .output, UInt32(ONOCR)), (75, .output, UInt32(ONLRET)), (91, .control, UInt32(CS8)),
    (92, .control, UInt32(PARENB)), (93, .control, UInt32(PARODD)),
    (41, .input, UInt32(IMAXBEL)), (57, .local, UInt32(bitPattern: Int32(NOFLSH))),
    (58, .local, UInt32(TOSTOP)), (31, .input, UInt32(PARMRK)), (32, .input, UInt32(INPCK)),
    (90, .control, UInt32(CS7)),
  ]

  /// The encoded modes, at most `limit` bytes: libssh2 has 256 for them and the terminal's name.
  static func encode(_ settings: TerminalSettings?, limit: Int = 240) -> [UInt8] {
    var modes: [(code: UInt8, value: UInt32)] = []
    if let settings {
      modes = [(129, settings.outputSpeed), (128, settings.inputSpeed)]
      for (code, index) in characters where settings.characters.indices.contains(index) {
        let character = settings.characters[index]
        // 255 means "off" on the wire, whatever the local value for that is.
        modes.append((code, character == disabled ? 255 : UInt32(character)))
      }
      for (code, group, bit) in flags {
        let field =
          switch group {
          case .input: settings.inputFlags
          case .local: settings.localFlags
          case .output: settings.outputFlags
          case .control: settings.controlFlags
          }
        modes.append((code, field & bit == bit ? 1 : 0))
      }
    }
    var writer = WireWriter()
    for mode in modes.prefix(max(limit - 1, 0) / 5) {
      writer.byte(mode.code)
      writer.uint32(mode.value)
    }
    writer.byte(0)
    return writer.bytes
  }

  #if canImport(Darwin)
    private static let disabled: UInt8 = 255
  #else
    private static let disabled: UInt8 = 0
  #endif
}
