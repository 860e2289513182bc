// Values with a spelling of their own, shared by keywords and letters of the command line.

extension SSHConfigReader {
  /// How `-G` prints an escape character: itself, `^X` for a control character, or `none`.
  static func escapeCharacter(_ word: String) -> String? {
    let bytes = Array(word.utf8)
    if word == "none" { return word }
    if bytes.count == 1 { return String(bytes[0]) }
    guard bytes.count == 2, bytes[0] == UInt8(ascii: "^"), (64..<128).contains(bytes[1]) else {
      return nil
    }
    return String(bytes[1] & 31)
  }

  /// `any`, or a number, for each side.
  static func tunnelDevice(_ word: String) -> String? {
    let parts = word.utf8.split(
      separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false
    ).map { String(decoding: $0, as: UTF8.self) }
    var sides: [String] = []
    for part in parts {
      if sameWord(part, "any") {
        sides.append("any")
      } else if case .number(let number) = wholeNumber(part, in: 0...0x7FFF_FFFD) {
        sides.append(String(number))
      } else {
        return nil
      }
    }
    if sides.count == 1 { sides.append("any") }
    return sides.joined(separator: ":")
  }

  /// `4K`, `1.5M`, `2G`: bytes.
  static func scaledNumber(_ word: String) -> Int? {
    var bytes = Array(word.utf8)[...]
    if bytes.first == UInt8(ascii: "+") { bytes = bytes.dropFirst() }
    let scales: [UInt8: Int] = [
      UInt8(ascii: "b"): 0, UInt8(ascii: "k"): 10, UInt8(ascii: "m"): 20, UInt8(ascii: "g"): 30,
      UInt8(ascii: "t"): 40, UInt8(ascii: "p"): 50, UInt8(ascii: "e"): 60,
    ]
    var shift = 0
    var isScaled = false
    if let last = bytes.last, let scale = scales[last.lowercase] {
      shift = scale
      isScaled = true
      bytes = bytes.dropLast()
    }
    let parts = bytes.split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let digits = parts.first, digits.allSatisfy(\.isDigit),
      digits.count <= 18,
      let whole = digits.isEmpty ? 0 : Int(String(decoding: digits, as: UTF8.self)),
      whole <= Int.max >> shift
    else { return nil }
    let result = whole << shift
    guard parts.count == 2 else { return digits.isEmpty && !isScaled ? nil : result }
    let fraction = parts[1].prefix(9)
    guard parts[1].allSatisfy(\.isDigit) else { return nil }
    // without a unit the fraction is dropped
    guard isScaled, let part = fraction.isEmpty ? 0 : Int(String(decoding: fraction, as: UTF8.self))
    else { return isScaled ? nil : result }
    var extra = part
    var divisor = 1
    for _ in fraction { divisor *= 10 }
    while extra > Int.max >> shift {
      extra /= 10
      divisor /= 10
    }
    let (sum, overflow) = result.addingReportingOverflow((extra << shift) / max(divisor, 1))
    return overflow ? nil : sum
  }

  /// Names of DSCP and TOS values, in the order in which a number is named.
  private static let qosNames: [(String, Int)] = [
    ("af11", 0x28), ("af12", 0x30), ("af13", 0x38), ("af21", 0x48), ("af22", 0x50),
    ("af23", 0x58), ("af31", 0x68), ("af32", 0x70), ("af33", 0x78), ("af41", 0x88),
    ("af42", 0x90), ("af43", 0x98), ("cs0", 0x00), ("cs1", 0x20), ("cs2", 0x40), ("cs3", 0x60),
    ("cs4", 0x80), ("cs5", 0xA0), ("cs6", 0xC0), ("cs7", 0xE0), ("ef", 0xB8), ("le", 0x04),
    ("lowdelay", 0x10), ("throughput", 0x08), ("reliability", 0x04),
  ]

  /// How `-G` prints a type of service, given by name or number.
  static func ipQoS(_ word: String) -> String? {
    if sameWord(word, "none") { return "none" }
    let value: Int
    if let named = qosNames.first(where: { sameWord($0.0, word) }) {
      value = named.1
    } else {
      let lower = lowercased(word)
      let number =
        lower.hasPrefix("0x")
        ? Int(lower.dropFirst(2), radix: 16)
        : lower.hasPrefix("0") ? Int(lower, radix: 8) : Int(lower)
      guard let number, (0...255).contains(number) else { return nil }
      value = number
    }
    if let named = qosNames.first(where: { $0.1 == value }) { return named.0 }
    let hex = String(value, radix: 16)
    return "0x\(hex.utf8.count == 1 ? "0" : "")\(hex)"
  }
}
