import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The local terminal's settings in the form of RFC 4254 §8.
enum TerminalModes {
  /// Opcode and index of each control character.
  private static let characters: [(UInt8, Int)] = {
    var table: [(UInt8, Int)] = [
      (1, Int(VINTR)), (2, Int(VQUIT)), (3, Int(VERASE)), (4, Int(VKILL)), (5, Int(VEOF)),
      (6, Int(VEOL)), (7, Int(VEOL2)), (8, Int(VSTART)), (9, Int(VSTOP)), (10, Int(VSUSP)),
      (12, Int(VREPRINT)), (13, Int(VWERASE)), (14, Int(VLNEXT)), (18, Int(VDISCARD)),
    ]
    #if canImport(Darwin)
      table += [(11, Int(VDSUSP)), (17, Int(VSTATUS))]
    #endif
    return table
  }()

  private enum Group { case input, local, output, control }

  private static let flags: [(UInt8, Group, UInt32)] = {
    var table: [(UInt8, Group, UInt32)] = [
      (30, .input, UInt32(IGNPAR)), (31, .input, UInt32(PARMRK)), (32, .input, UInt32(INPCK)),
      (33, .input, UInt32(ISTRIP)), (34, .input, UInt32(INLCR)), (35, .input, UInt32(IGNCR)),
      (36, .input, UInt32(ICRNL)), (38, .input, UInt32(IXON)), (39, .input, UInt32(IXANY)),
      (40, .input, UInt32(IXOFF)), (41, .input, UInt32(IMAXBEL)), (42, .input, UInt32(IUTF8)),
      (50, .local, UInt32(ISIG)), (51, .local, UInt32(ICANON)), (53, .local, UInt32(ECHO)),
      (54, .local, UInt32(ECHOE)), (55, .local, UInt32(ECHOK)), (56, .local, UInt32(ECHONL)),
      (57, .local, UInt32(bitPattern: Int32(NOFLSH))), (58, .local, UInt32(TOSTOP)),
      (59, .local, UInt32(IEXTEN)), (60, .local, UInt32(ECHOCTL)), (61, .local, UInt32(ECHOKE)),
      (62, .local, UInt32(PENDIN)),
      (70, .output, UInt32(OPOST)), (72, .output, UInt32(ONLCR)), (73, .output, UInt32(OCRNL)),
      (74, .output, UInt32(ONOCR)), (75, .output, UInt32(ONLRET)),
      (90, .control, UInt32(CS7)), (91, .control, UInt32(CS8)), (92, .control, UInt32(PARENB)),
      (93, .control, UInt32(PARODD)),
    ]
    #if canImport(Glibc)
      table += [
        (37, .input, UInt32(IUCLC)), (52, .local, UInt32(XCASE)), (71, .output, UInt32(OLCUC)),
      ]
    #endif
    return table
  }()

  static func encode(_ settings: TerminalSettings?) -> [UInt8] {
    var writer = WireWriter()
    if let settings {
      writer.byte(129)
      writer.uint32(settings.outputSpeed)
      writer.byte(128)
      writer.uint32(settings.inputSpeed)
      for (code, index) in characters where settings.characters.indices.contains(index) {
        let character = settings.characters[index]
        writer.byte(code)
        // 255 means "off" on the wire, whatever the local value for that is.
        writer.uint32(character == disabled ? 255 : UInt32(character))
      }
      for (code, group, bit) in flags {
        let value =
          switch group {
          case .input: settings.inputFlags
          case .local: settings.localFlags
          case .output: settings.outputFlags
          case .control: settings.controlFlags
          }
        writer.byte(code)
        writer.uint32(value & bit == bit ? 1 : 0)
      }
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
