package import Platform

/// Time and chance, as the client sees them; in tests neither passes by itself.
package struct Pacing: Sendable {
  package var clock: WallClock
  /// Time since some fixed moment, never set back.
  package var elapsed: @Sendable () -> Duration
  package var sleep: @Sendable (Duration) async throws -> Void
  /// From 0 up to 1.
  package var random: @Sendable () -> Double

  package init(
    clock: WallClock, elapsed: @escaping @Sendable () -> Duration,
    sleep: @escaping @Sendable (Duration) async throws -> Void,
    random: @escaping @Sendable () -> Double
  ) {
    self.clock = clock
    self.elapsed = elapsed
    self.sleep = sleep
    self.random = random
  }

  package static let system: Pacing = {
    let start = ContinuousClock.now
    return Pacing(
      clock: .system, elapsed: { start.duration(to: .now) },
      sleep: { try await Task.sleep(for: $0) }, random: { Double.random(in: 0..<1) })
  }()

  /// Sleeps; a cancelled task ends it as an interruption.
  func pause(_ time: Duration) async throws(Failure) {
    do {
      try await sleep(time)
    } catch {
      throw Failure(.interrupted, what: "interrupted")
    }
  }
}
