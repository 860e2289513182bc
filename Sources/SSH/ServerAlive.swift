/// Notices a silent server by the bytes it does not send (`ServerAliveInterval`).
struct ServerAlive {
  enum Verdict: Equatable {
    case quiet
    /// A question is due.
    case send
    case dead
  }

  let interval: Duration
  let countMax: Int
  private(set) var deadline: ContinuousClock.Instant
  private var unanswered = 0
  private var lastReceived: Int

  /// - Parameter received: the bytes that have come so far.
  init(
    interval: Duration, countMax: Int, received: Int = 0, now: ContinuousClock.Instant = .now
  ) {
    lastReceived = received
    self.interval = interval
    self.countMax = countMax
    deadline = now + interval
  }

  mutating func check(received: Int, now: ContinuousClock.Instant) -> Verdict {
    if received != lastReceived {
      lastReceived = received
      unanswered = 0
      deadline = now + interval
      return .quiet
    }
    guard now >= deadline else { return .quiet }
    deadline = now + interval
    unanswered += 1
    return unanswered > countMax ? .dead : .send
  }
}
