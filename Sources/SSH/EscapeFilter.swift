/// Finds ssh's escapes in what is typed: the escape character at the start of a line.
struct EscapeFilter {
  enum Piece: Equatable {
    case bytes([UInt8])
    /// `~.`
    case disconnect
    /// `~^Z`
    case suspend
    /// `~#`
    case listConnections
    /// `~?`
    case help
    /// `~V` and `~v`
    case moreDebug, lessDebug
    /// `~R`, `~B`, `~C`, `~&`: known to ssh, not built in.
    case notBuiltIn(UInt8)
  }

  let escape: UInt8
  private var isAtLineStart = true
  private var isPending = false

  init(escape: UInt8) { self.escape = escape }

  mutating func feed(_ bytes: some Sequence<UInt8>) -> [Piece] {
    var pieces: [Piece] = []
    var plain: [UInt8] = []
    func emit(_ piece: Piece) {
      if !plain.isEmpty { pieces.append(.bytes(plain)) }
      plain = []
      pieces.append(piece)
    }
    for byte in bytes {
      if isPending {
        isPending = false
        // After an escape that was carried out, the line is still at its start.
        switch byte {
        case UInt8(ascii: "."): emit(.disconnect)
        case 0x1A: emit(.suspend)
        case UInt8(ascii: "#"): emit(.listConnections)
        case UInt8(ascii: "?"): emit(.help)
        case UInt8(ascii: "V"): emit(.lessDebug)
        case UInt8(ascii: "v"): emit(.moreDebug)
        case UInt8(ascii: "R"), UInt8(ascii: "B"), UInt8(ascii: "C"), UInt8(ascii: "&"):
          emit(.notBuiltIn(byte))
        case escape:
          plain.append(byte)
          isAtLineStart = false
        default:
          plain.append(escape)
          plain.append(byte)
          isAtLineStart = byte == 0x0D || byte == 0x0A
        }
      } else if byte == escape, isAtLineStart {
        isPending = true
      } else {
        plain.append(byte)
        isAtLineStart = byte == 0x0D || byte == 0x0A
      }
    }
    if !plain.isEmpty { pieces.append(.bytes(plain)) }
    return pieces
  }

  /// What `~?` shows.
  var help: String {
    let key = Self.name(of: escape)
    return """
      Supported escape sequences:
       \(key).   - terminate connection (and any multiplexed sessions)
       \(key)V/v - decrease/increase verbosity (LogLevel)
       \(key)^Z  - suspend ssh
       \(key)#   - list forwarded connections
       \(key)?   - this message
       \(key)\(key)   - send the escape character by typing it twice
      (Note that escapes are only recognized immediately after newline.)
      """
  }

  static func name(of byte: UInt8) -> String {
    byte < 0x20
      ? "^" + String(UnicodeScalar(byte + 0x40)) : String(UnicodeScalar(byte))
  }
}
