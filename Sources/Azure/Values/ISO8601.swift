package import FoundationEssentials

// Azure's own spellings of times and durations. FoundationEssentials has a reader too, but it
// refuses seven fraction digits and the mixture of forms that the services use.

extension Date {
  /// A time of Azure's services: `2022-11-17T11:44:50.5921811Z`, with any number of fraction digits.
  ///
  /// Or `…+00:00`; a time without a zone is UTC.
  package init?(iso8601 text: String) {
    var scanner = DigitScanner(text)
    guard let year = scanner.digits(4), scanner.skip("-"), let month = scanner.digits(2),
      scanner.skip("-"), let day = scanner.digits(2), scanner.skip("T") || scanner.skip("t"),
      let hour = scanner.digits(2), scanner.skip(":"), let minute = scanner.digits(2),
      scanner.skip(":"), let second = scanner.digits(2)
    else { return nil }
    var fraction = 0.0
    if scanner.skip(".") {
      guard let value = scanner.fraction() else { return nil }
      fraction = value
    }
    guard let offset = scanner.zone(), scanner.isAtEnd,
      let seconds = civilSeconds(year, month, day, hour, minute, second)
    else { return nil }
    self.init(timeIntervalSince1970: Double(seconds - offset) + fraction)
  }

  /// The one form of HTTP dates that servers still send: `Sun, 06 Nov 1994 08:49:37 GMT`.
  package init?(httpDate text: String) {
    let parts = text.split(whereSeparator: { $0 == " " || $0 == ":" || $0 == "," })
    let months = [
      "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    guard parts.count == 8, parts[7].lowercased() == "gmt",
      let month = months.firstIndex(of: parts[2].lowercased()),
      let day = Int(parts[1]), let year = Int(parts[3]), let hour = Int(parts[4]),
      let minute = Int(parts[5]), let second = Int(parts[6]),
      let seconds = civilSeconds(year, month + 1, day, hour, minute, second)
    else { return nil }
    self.init(timeIntervalSince1970: Double(seconds))
  }
}

extension Duration {
  /// A duration as `PT3H`, `P1DT30M` or `PT0.5S`.
  ///
  /// Years and months have no fixed length and are refused.
  package init?(iso8601 text: String) {
    var scanner = DigitScanner(text.uppercased())
    guard scanner.skip("P") else { return nil }
    var total = 0.0
    var inTime = false
    var remaining: [(unit: Character, seconds: Double, isTime: Bool)] = [
      ("W", 604_800, false), ("D", 86400, false), ("H", 3600, true), ("M", 60, true),
      ("S", 1, true),
    ]
    var parts = 0
    while !scanner.isAtEnd {
      if scanner.skip("T") {
        guard !inTime else { return nil }
        inTime = true
        continue
      }
      guard let whole = scanner.digits(atMost: 9) else { return nil }
      var value = Double(whole)
      if scanner.skip(".") {
        guard let fraction = scanner.fraction() else { return nil }
        value += fraction
      }
      guard
        let index = remaining.firstIndex(where: { $0.isTime == inTime && scanner.skip($0.unit) })
      else { return nil }
      total += value * remaining[index].seconds
      remaining.removeSubrange(...index)
      parts += 1
    }
    guard parts > 0 else { return nil }
    self = .milliseconds(Int((total * 1000).rounded()))
  }

  /// `PT1H30M`; parts of a second are cut off, and less than nothing is nothing.
  package var iso8601: String {
    let total = max(0, components.seconds)
    guard total > 0 else { return "PT0S" }
    var text = "PT"
    if total >= 3600 { text += "\(total / 3600)H" }
    if total % 3600 >= 60 { text += "\(total % 3600 / 60)M" }
    if total % 60 > 0 { text += "\(total % 60)S" }
    return text
  }

  var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}

/// Seconds since 1970 of a UTC date in the Gregorian calendar; nil for fields out of range.
private func civilSeconds(
  _ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int
) -> Int? {
  // 60 is a leap second.
  guard (1...9999).contains(year), (1...12).contains(month), (0...23).contains(hour),
    (0...59).contains(minute), (0...60).contains(second)
  else { return nil }
  let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
  let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  guard (1...lengths[month - 1]).contains(day) else { return nil }
  let previous = year - 1
  let days =
    previous * 365 + previous / 4 - previous / 100 + previous / 400
    + lengths[..<(month - 1)].reduce(0, +) + day - 1 - 719_162
  return days * 86400 + hour * 3600 + minute * 60 + second
}

/// Reads fixed fields of digits.
private struct DigitScanner {
  private var rest: Substring

  init(_ text: String) { rest = text[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func skip(_ character: Character) -> Bool {
    guard rest.first == character else { return false }
    rest.removeFirst()
    return true
  }

  private mutating func run() -> Substring {
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    rest = rest.dropFirst(digits.count)
    return digits
  }

  mutating func digits(_ count: Int) -> Int? {
    let digits = rest.prefix(count)
    guard digits.count == count, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else {
      return nil
    }
    rest = rest.dropFirst(count)
    return Int(digits)
  }

  mutating func digits(atMost limit: Int) -> Int? {
    let digits = run()
    return digits.count <= limit ? Int(digits) : nil
  }

  mutating func fraction() -> Double? {
    let digits = run()
    guard !digits.isEmpty else { return nil }
    return Double("0.\(digits)")
  }

  /// Seconds east of Greenwich.
  mutating func zone() -> Int? {
    if isAtEnd || skip("Z") || skip("z") { return 0 }
    let sign = skip("+") ? 1 : skip("-") ? -1 : 0
    guard sign != 0, let hours = digits(2), hours < 24 else { return nil }
    _ = skip(":")
    guard let minutes = digits(2), minutes < 60 else { return nil }
    return sign * (hours * 3600 + minutes * 60)
  }
}
