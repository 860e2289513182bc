import CPlatform
package import FoundationEssentials

/// The time of day, injectable. For durations use `ContinuousClock`.
package struct WallClock: Sendable {
  package var now: @Sendable () -> Date

  package init(now: @escaping @Sendable () -> Date) { self.now = now }

  package static let system = WallClock(now: { Date() })
}

/// A point in time as people read it, in the user's time zone: `14:32`, or `25 Nov 14:32` when it
/// is not on the day of `now`.
package func localTimeText(_ date: Date, now: Date) -> String {
  guard let time = localFields(date), let today = localFields(now) else {
    return date.formatted(.iso8601)
  }
  let clock = "\(twoDigits(time.hour)):\(twoDigits(time.minute))"
  if (time.day, time.month, time.year) == (today.day, today.month, today.year) { return clock }
  let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]
  let month = months.indices.contains(Int(time.month) - 1) ? months[Int(time.month) - 1] : "?"
  return "\(time.day) \(month) \(clock)"
}

private func localFields(_ date: Date) -> platform_local_time? {
  let seconds = date.timeIntervalSince1970
  guard seconds.isFinite, abs(seconds) < 1e11 else { return nil }
  var fields = platform_local_time()
  guard unsafe platform_local_time(Int(seconds), &fields) == 0 else { return nil }
  return fields
}

private func twoDigits(_ value: Int32) -> String {
  value < 10 ? "0\(value)" : "\(value)"
}
