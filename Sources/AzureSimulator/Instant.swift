import FoundationEssentials
import Platform

/// A point in time in Azure's own grain, 100 ns: its texts have seven fraction digits.
package struct Instant: Sendable, Comparable {
  /// 100 ns steps since 1970.
  package var ticks: Int64

  package init(ticks: Int64) { self.ticks = ticks }

  /// The machine's time of day.
  package static func machineNow() -> Instant {
    Instant(ticks: Int64(WallClock.system.now().timeIntervalSince1970 * 10_000_000))
  }

  package static func < (a: Instant, b: Instant) -> Bool { a.ticks < b.ticks }

  package static func + (a: Instant, b: Duration) -> Instant {
    Instant(ticks: a.ticks &+ b.ticks)
  }

  package static func - (a: Instant, b: Instant) -> Duration {
    let ticks = a.ticks &- b.ticks
    return Duration(
      secondsComponent: ticks / 10_000_000,
      attosecondsComponent: ticks % 10_000_000 * 100_000_000_000)
  }

  /// Whole seconds since 1970.
  package var seconds: Int64 { ticks / 10_000_000 }

  /// As Microsoft.Security writes it, `2022-11-17T11:44:50.5921811Z`.
  package var text: String {
    let fields = CalendarFields(seconds: seconds)
    return fields.dateTime + "." + padded(ticks % 10_000_000, 7) + "Z"
  }

  /// Compute's spelling, `2023-05-25T06:51:19.7585858+00:00`.
  package var offsetText: String { String(text.dropLast()) + "+00:00" }

  /// An HTTP date, `Thu, 17 Nov 2022 11:44:50 GMT`.
  package var httpDate: String {
    let fields = CalendarFields(seconds: seconds)
    let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    let weekday = weekdays[Int((seconds / 86_400) % 7)]
    return "\(weekday), \(padded(fields.day, 2)) \(months[Int(fields.month) - 1]) "
      + "\(padded(fields.year, 4)) \(fields.clock) GMT"
  }

  /// The United States' spelling that an expired token is told in, `8/21/2018 3:22:00 PM`.
  package var americanText: String {
    let fields = CalendarFields(seconds: seconds)
    let hour = fields.hour % 12 == 0 ? 12 : fields.hour % 12
    return "\(fields.month)/\(fields.day)/\(fields.year) \(hour):\(padded(fields.minute, 2)):"
      + "\(padded(fields.second, 2)) \(fields.hour < 12 ? "AM" : "PM")"
  }

  /// Reads an ISO 8601 time with 0 to 7 fraction digits and `Z` or an offset.
  package init?(text: String) {
    var rest = Substring(text)
    func number(_ digits: Int) -> Int64? {
      let part = rest.prefix(digits)
      guard part.count == digits, part.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
      rest = rest.dropFirst(digits)
      return Int64(part)
    }
    func take(_ character: Character) -> Bool {
      guard rest.first == character else { return false }
      rest = rest.dropFirst()
      return true
    }
    guard let year = number(4), take("-"), let month = number(2), take("-"), let day = number(2),
      take("T"), let hour = number(2), take(":"), let minute = number(2), take(":"),
      let second = number(2), (1...12).contains(month), (1...31).contains(day), hour < 24,
      minute < 60, second < 61
    else { return nil }
    var fraction: Int64 = 0
    if take(".") {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      guard (1...7).contains(digits.count), let value = Int64(digits) else { return nil }
      fraction = (digits.count..<7).reduce(value) { value, _ in value * 10 }
      rest = rest.dropFirst(digits.count)
    }
    var offset: Int64 = 0
    if !take("Z") {
      let sign: Int64 = take("+") ? 1 : take("-") ? -1 : 0
      guard sign != 0, let hours = number(2), take(":"), let minutes = number(2) else { return nil }
      offset = sign * (hours * 60 + minutes) * 60
    }
    guard rest.isEmpty else { return nil }
    let days = CalendarFields.days(year: year, month: month, day: day)
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
    ticks = seconds * 10_000_000 + fraction
  }
}

extension Duration {
  /// In steps of 100 ns.
  var ticks: Int64 {
    components.seconds &* 10_000_000 &+ components.attoseconds / 100_000_000_000
  }

  /// Reads the part of ISO 8601 durations that Azure takes: `P1D`, `PT3H`, `PT1H30M`, `PT45S`.
  init?(iso8601 text: String) {
    guard text.first == "P" else { return nil }
    var inTime = false
    var digits = ""
    var seconds: Int64 = 0
    var parts = 0
    for character in text.dropFirst() {
      if character == "T", !inTime, digits.isEmpty {
        inTime = true
        continue
      }
      if character.isASCII, character.isNumber {
        digits.append(character)
        continue
      }
      let unit: Int64
      switch (character, inTime) {
      case ("D", false): unit = 86_400
      case ("H", true): unit = 3600
      case ("M", true): unit = 60
      case ("S", true): unit = 1
      default: return nil
      }
      guard digits.count < 9, let value = Int64(digits) else { return nil }
      seconds += value * unit
      digits = ""
      parts += 1
    }
    guard digits.isEmpty, parts > 0 else { return nil }
    self = .seconds(seconds)
  }
}

/// A day and time in UTC, by the calendar.
private struct CalendarFields {
  var year: Int64
  var month: Int64
  var day: Int64
  var hour: Int64
  var minute: Int64
  var second: Int64

  init(seconds: Int64) {
    let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
    (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
    // Days counted from 1 March of the year 0, in eras of 400 years.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  var clock: String { "\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2))" }
  var dateTime: String { "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(clock)" }
}

private func padded(_ value: Int64, _ width: Int) -> String {
  let text = String(value)
  return String(repeating: "0", count: max(0, width - text.count)) + text
}
