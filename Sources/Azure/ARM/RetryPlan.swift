import FoundationEssentials
import HTTP
import Platform

/// When one call is made again, and after how long.
struct RetryPlan {
  static let tries = 4
  /// A longer wait is told instead of taken: nobody sits through it without knowing.
  static let longestWait = Duration.seconds(30)
  /// After this long no further try begins.
  static let budget = Duration.seconds(90)

  private let isRepeatable: Bool
  private let hasFallBack: Bool
  private let pacing: Pacing
  private let begun: Duration
  private var made = 0

  init(call: ARMCall, pacing: Pacing) {
    isRepeatable = call.isRepeatable
    hasFallBack = call.hasFallBack
    self.pacing = pacing
    begun = pacing.elapsed()
  }

  /// The wait before the next try after a refusal; nil where there is none.
  mutating func pause(
    after answer: ARMAnswer, _ error: ServiceError, _ failure: Failure
  ) throws(Failure) -> Duration? {
    let isConflict =
      answer.status == 409 && Assumptions.transientConflicts.contains { error.hasCode($0) }
    guard [408, 429, 500, 502, 503, 504].contains(answer.status) || isConflict else { return nil }
    let asked = Self.askedWait(answer.headers, now: pacing.clock.now())
    if let asked, asked > Self.longestWait {
      var told = failure
      told.retryAfter = asked
      told.next = "try again in \(Int(asked.inSeconds.rounded(.up))) seconds"
      throw told
    }
    guard let pause = nextPause(isAllowed: isRepeatable && !hasFallBack) else { return nil }
    // Never sooner than asked, and not everyone at the same moment.
    return asked.map { $0 + .milliseconds(Int(pacing.random() * 500)) } ?? pause
  }

  /// The wait before the next try when no answer came; nil where there is none.
  mutating func pause(after error: HTTPError) -> Duration? {
    switch error.kind {
    case .nameNotFound, .connectFailed: nextPause(isAllowed: true)
    case .timedOut, .interrupted: nextPause(isAllowed: isRepeatable)
    // A certificate does not get better by asking again.
    case .tlsFailed, .bodyTooLarge, .requestInvalid, .answerInvalid, .cancelled, .outOfMemory: nil
    }
  }

  private mutating func nextPause(isAllowed: Bool) -> Duration? {
    made += 1
    guard isAllowed, made < Self.tries, pacing.elapsed() - begun < Self.budget else { return nil }
    let base = 500 * (1 << (made - 1))
    return .milliseconds(base / 2 + Int(Double(base) * pacing.random()))
  }

  /// `Retry-After` in seconds or as a date, or Resource Graph's own `hh:mm:ss`.
  static func askedWait(_ headers: HTTPHeaders, now: Date) -> Duration? {
    if let text = headers["Retry-After"] {
      if let seconds = Int(text), (0...1_000_000).contains(seconds) { return .seconds(seconds) }
      if let date = Date(httpDate: text) {
        // Against the server's own clock where it is told.
        let reference = headers["Date"].flatMap { Date(httpDate: $0) } ?? now
        let seconds = date.timeIntervalSince(reference)
        return .seconds(Int(min(max(seconds, 0), 1_000_000)))
      }
    }
    return headers["x-ms-user-quota-resets-after"].flatMap(quotaReset)
  }

  static func quotaReset(_ text: String) -> Duration? {
    let fields = text.split(separator: ":")
    guard fields.count == 3, let hours = Int(fields[0]), let minutes = Int(fields[1]),
      let seconds = Double(fields[2]), (0...99).contains(hours), (0...59).contains(minutes),
      (0..<60).contains(seconds)
    else { return nil }
    return .seconds(hours * 3600 + minutes * 60 + Int(seconds.rounded(.up)))
  }
}
