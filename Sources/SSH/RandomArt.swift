extension HostKey {
  /// The key's picture (`VisualHostKey`), as ssh-keygen draws it for SHA-256.
  package var randomArt: String { randomArt(.sha256) }

  func randomArt(_ hash: FingerprintHash) -> String {
    RandomArt.draw(hash.digest(blob), title: title, footer: hash.rawValue)
  }

  private var title: String {
    switch type {
    case "ssh-rsa":
      return "\(typeName) \(KeyStrength.bitsOfRSA(blob) ?? 0)"
    case "ecdsa-sha2-nistp384": return "ECDSA 384"
    case "ecdsa-sha2-nistp521": return "ECDSA 521"
    default: return "\(typeName) 256"
    }
  }
}

/// The walk of a bishop over a board, driven by the bits of a hash.
enum RandomArt {
  private static let width = 17
  private static let height = 9
  private static let marks = Array(" .o+=*BOX@%&#/^SE")

  static func draw(_ hash: [UInt8], title: String, footer: String) -> String {
    var board = [[Int]](repeating: [Int](repeating: 0, count: width), count: height)
    let last = marks.count - 1
    var (x, y) = (width / 2, height / 2)
    for byte in hash {
      var bits = byte
      for _ in 0..<4 {
        x = min(max(x + (bits & 1 == 1 ? 1 : -1), 0), width - 1)
        y = min(max(y + (bits & 2 == 2 ? 1 : -1), 0), height - 1)
        if board[y][x] < last - 2 { board[y][x] += 1 }
        bits >>= 2
      }
    }
    board[height / 2][width / 2] = last - 1
    board[y][x] = last
    var lines = ["+" + centred("[\(title)]") + "+"]
    for row in board { lines.append("|" + String(row.map { marks[min($0, last)] }) + "|") }
    lines.append("+" + centred("[\(footer)]") + "+")
    return lines.joined(separator: "\n")
  }

  private static func centred(_ text: String) -> String {
    let text = String(text.prefix(width))
    let left = (width - text.count) / 2
    return String(repeating: "-", count: left) + text
      + String(repeating: "-", count: width - text.count - left)
  }
}
