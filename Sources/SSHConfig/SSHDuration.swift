/// Times as written in configuration files and options, in whole seconds.
package enum SSHDuration {
  private static let units: [UInt8: Int] = [
    UInt8(ascii: "s"): 1, UInt8(ascii: "m"): 60, UInt8(ascii: "h"): 3600,
    UInt8(ascii: "d"): 86400, UInt8(ascii: "w"): 604_800,
  ]

  /// ssh's TIME FORMATS: `90`, `10m`, `1h30m`; nil for anything else, or beyond 32 bits.
  package static func seconds(_ text: String) -> Int? {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty else { return nil }
    var total = 0
    var index = 0
    while index < bytes.count {
      while index < bytes.count, bytes[index].isSpace { index += 1 }
      if index < bytes.count, bytes[index] == UInt8(ascii: "+") { index += 1 }
      guard let number = digits(bytes, &index) else { return nil }
      var unit = 1
      if index < bytes.count {
        guard let named = units[bytes[index].lowercase] else { return nil }
        unit = named
        index += 1
      }
      guard let sum = add(total, number, unit) else { return nil }
      total = sum
    }
    return total
  }

  /// ssh's formats and ISO 8601 (`PT1H30M`, `P1D`, `P2W`; no months or years, no fractions).
  package static func secondsOrISO8601(_ text: String) -> Int? {
    let bytes = text.utf8.map(\.lowercase)
    guard bytes.first == UInt8(ascii: "p") else { return seconds(text) }
    var total = 0
    var index = 1
    var inTime = false
    // each unit once, and from the largest to the smallest
    var lastUnit = Int.max
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "t"), !inTime, index + 1 < bytes.count {
        inTime = true
        index += 1
        continue
      }
      guard let number = digits(bytes, &index), index < bytes.count else { return nil }
      let letter = bytes[index]
      let dated = letter == UInt8(ascii: "d") || letter == UInt8(ascii: "w")
      guard let unit = units[letter], dated != inTime, unit < lastUnit,
        let sum = add(total, number, unit)
      else { return nil }
      total = sum
      lastUnit = unit
      index += 1
    }
    return lastUnit == Int.max ? nil : total
  }

  private static func digits(_ bytes: [UInt8], _ index: inout Int) -> Int? {
    let start = index
    var value = 0
    while index < bytes.count, bytes[index].isDigit {
      value = value * 10 + Int(bytes[index]) - 0x30
      if value > Int(Int32.max) { return nil }
      index += 1
    }
    return index == start ? nil : value
  }

  private static func add(_ total: Int, _ number: Int, _ unit: Int) -> Int? {
    // both factors are below 2^31, so nothing overflows 64 bits
    let sum = total + number * unit
    return sum > Int(Int32.max) ? nil : sum
  }
}
