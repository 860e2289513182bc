import Azure
import Platform
import Testing

@testable import JITConnect

@Suite struct WatchPaceTests {
  @Test("looks grow rarer up to the longest pause: a dozen in two minutes")
  func growth() {
    var pace = WatchPace()
    var pauses: [Duration] = []
    while pauses.reduce(.zero, +) < .seconds(120) { pauses.append(pace.pause()) }
    #expect(pauses.first == .seconds(3))
    #expect(zip(pauses, pauses.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(pauses.last == .seconds(15))
    #expect(pauses.count <= 13)
  }

  @Test("what Azure asks for is waited for once; other failures change nothing")
  func asked() {
    func failure(_ status: Int, after: Duration?) -> Failure {
      var failure = Failure(
        .azureRefused, what: "no",
        cause: .http(status: status, serviceCode: nil, correlationID: nil))
      failure.retryAfter = after
      return failure
    }
    var pace = WatchPace()
    pace.heed(failure(500, after: nil))
    #expect(pace.pause() == .seconds(3))
    pace.heed(failure(429, after: .seconds(90)))
    #expect(pace.pause() == .seconds(90))
    #expect(pace.pause() == .seconds(15))
    pace.heed(failure(429, after: nil))
    #expect(pace.pause() == .seconds(15))
  }
}
