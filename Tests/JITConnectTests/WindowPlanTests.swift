import Azure
import FoundationEssentials
import Platform
import Testing

@testable import JITConnect

@Suite struct WindowPlanTests {
  private static let now = Date(timeIntervalSince1970: 1_790_000_000)

  private func id() throws -> ResourceID {
    try #require(
      ResourceID(
        "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg"
          + "/providers/Microsoft.Compute/virtualMachines/web1"))
  }

  private func source(_ text: String) throws -> SourcePrefix {
    try #require(SourcePrefix(parsing: text))
  }

  private func wish(
    port: Int = 22, _ sources: [String] = ["203.0.113.7"], duration: Duration? = nil,
    keepsOthers: Bool = false
  ) throws -> WindowPlan.Wish {
    WindowPlan.Wish(
      machineName: "web1", port: port, sources: try sources.map(source), duration: duration,
      keepsOthers: keepsOthers)
  }

  private func policy(requests: [JSONTree] = []) throws -> JITPolicy {
    try #require(
      JITPolicy(
        tree: [
          "id": .string(
            "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers"
              + "/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/default"),
          "properties": [
            "virtualMachines": [["id": .string(try id().text), "ports": []]],
            "requests": .array(requests),
          ],
        ]))
  }

  private func entry(_ rules: PortRule...) throws -> JITPolicy.Machine {
    var machine = try #require(try policy().machines.first)
    machine.ports = rules
    return machine
  }

  /// A request's window that has so many seconds left.
  private func window(
    _ seconds: Int, _ from: String, port: Int = 22, status: String = "Initiated"
  ) throws -> JITPolicy.Window {
    let end = (Self.now + TimeInterval(seconds)).formatted(.iso8601)
    let port: JSONTree = [
      "number": .number(String(port)), "status": .string(status), "endTimeUtc": .string(end),
      "allowedSourceAddressPrefix": .string(from),
    ]
    let request: JSONTree = [
      "virtualMachines": [["id": .string(try id().text), "ports": [port]]],
      "requestor": "grace@contoso.example",
    ]
    return try #require(try policy(requests: [request]).windows(of: try id()).first)
  }

  private func plan(
    _ wish: WindowPlan.Wish, _ rule: PortRule = PortRule(number: 22),
    windows: [JITPolicy.Window] = [], usable: [WindowPlan.OpenWindow]? = nil,
    floor: Duration? = nil, isOwn: Bool = false
  ) throws -> WindowPlan {
    try WindowPlan(
      wish, entry: try entry(rule), windows: windows, usable: usable, now: Self.now, floor: floor,
      isOwn: { _ in isOwn })
  }

  // MARK: Durations

  @Test(
    "the durations that are asked for, the first one first",
    arguments: [
      (nil, 180, nil, [5, 10, 30, 60]), (nil, 20, nil, [5, 10]), (nil, 180, 30, [30, 60]),
      (nil, 3, nil, [3]), (90, 180, nil, [90]), (180, 180, 60, [180]),
      (nil, nil, nil, [5, 10, 30, 60]),
      (nil, 20, 60, [20]),
    ] as [(Int?, Int?, Int?, [Int])])
  func durations(asked: Int?, most: Int?, floor: Int?, expected: [Int]) throws {
    let plan = try plan(
      try wish(duration: asked.map { .seconds($0 * 60) }),
      PortRule(number: 22, maximumDuration: most.map { .seconds($0 * 60) }),
      floor: floor.map { .seconds($0 * 60) })
    #expect(plan.step == .request(durations: expected.map { .seconds($0 * 60) }))
    #expect(plan.others.isEmpty)
  }

  // MARK: Limits

  @Test("what the policy forbids is said in words, with what is allowed")
  func forbidden() throws {
    let narrow = PortRule(
      number: 22, protocol: .tcp, allowedSources: [try source("10.0.0.0/8")],
      maximumDuration: .seconds(5400))
    for (wish, code, words) in [
      (try wish(port: 23), Failure.Code.policyForbidsPort, "it allows port 22"),
      (try wish(), .policyForbidsSource, "port 22 may be opened for 10.0.0.0/8"),
      (
        try wish(["10.1.2.3"], duration: .seconds(7200)), .policyForbidsDuration,
        "at most 1 hour 30 minutes"
      ),
      (
        try wish(["10.1.2.3"], duration: .seconds(60)), .policyForbidsDuration,
        "at least 5 minutes"
      ),
    ] {
      let failure = try #require(throws: Failure.self) { try plan(wish, narrow) }
      #expect(failure.code == code)
      #expect(failure.why?.contains(words) == true, "\(failure)")
      #expect(failure.next?.isEmpty == false)
    }
    #expect(throws: Failure.self) {
      try plan(try wish(), PortRule(number: 22, protocol: .udp))
    }
    #expect(throws: Failure.self) {
      try plan(
        try wish(["0.0.0.0/0"]), PortRule(number: 22, allowedSources: [source("10.0.0.0/8")]))
    }
  }

  // MARK: Using one again

  @Test(
    "a live window of the policy is used again",
    arguments: [
      (300, "203.0.113.7", nil, true), (60, "203.0.113.7", nil, true),
      (59, "203.0.113.7", nil, false), (-1, "203.0.113.7", nil, false),
      (300, "203.0.113.0/24", nil, true), (300, "203.0.113.8", nil, false),
      (3600, "203.0.113.7", 30, true), (1200, "203.0.113.7", 30, false),
    ] as [(Int, String, Int?, Bool)])
  func reuse(left: Int, from: String, asked: Int?, isUsed: Bool) throws {
    let open = try window(left, from)
    let plan = try plan(
      try wish(duration: asked.map { .seconds($0 * 60) }), windows: [open], isOwn: true)
    if case .reuse(let used) = plan.step {
      #expect(isUsed)
      #expect(used.sources == open.port.sources)
    } else {
      #expect(!isUsed)
    }
  }

  @Test("neither another port's, nor a refused one, nor one that covers a part")
  func notReused() throws {
    let windows = [
      try window(300, "203.0.113.7", port: 3389),
      try window(300, "203.0.113.7", status: "Revoked"),
      try window(300, "203.0.113.7", status: "Failed"),
    ]
    let plan = try plan(try wish(["203.0.113.7", "203.0.113.9"]), windows: windows)
    guard case .request = plan.step else { Issue.record("\(plan.step)"); return }
    #expect(plan.others.isEmpty)
  }

  @Test("where the policy is remembered only our own record counts")
  func ownRecord() throws {
    let foreign = try window(300, "203.0.113.7")
    let without = try plan(try wish(), windows: [foreign], usable: [])
    #expect(without.step == .request(durations: WindowPlan.shortestDurations))
    let open = WindowPlan.OpenWindow(
      port: 22, sources: [try source("203.0.113.7")], end: Self.now + 200, mappedPort: 2222)
    #expect(try plan(try wish(), usable: [open]).step == .reuse(open))
  }

  // MARK: Others

  @Test("a live window of another source is named; an own one and a covered one are not")
  func others() throws {
    let other = try window(300, "198.51.100.4")
    #expect(try plan(try wish(), windows: [other]).others == [other])
    #expect(try plan(try wish(), windows: [other], isOwn: true).others.isEmpty)
    #expect(try plan(try wish(["198.51.100.0/24"]), windows: [other]).others.isEmpty)
    #expect(try plan(try wish(), windows: [try window(-5, "198.51.100.4")]).others.isEmpty)
    // Used again, nothing is requested and so nothing ends.
    let own = try window(300, "203.0.113.7")
    #expect(try plan(try wish(), windows: [other, own]).others.isEmpty)
  }

  @Test("--keep-others names its source too, but never for longer than it has left")
  func keepOthers() throws {
    let long = try window(3600, "198.51.100.4")
    let short = try window(120, "198.51.100.5")
    let plan = try plan(try wish(keepsOthers: true), windows: [long, short])
    #expect(plan.sources == [try source("203.0.113.7"), try source("198.51.100.4")])
    #expect(plan.others == [short])
  }

  // MARK: Words

  @Test(
    "durations in words and as --for takes them",
    arguments: [
      (0, "0 seconds", "0s"), (1, "1 second", "1s"), (60, "1 minute", "1m"),
      (300, "5 minutes", "5m"), (5400, "1 hour 30 minutes", "1h30m"), (3600, "1 hour", "1h"),
      (86400, "1 day", "1d"), (90061, "1 day 1 hour 1 minute 1 second", "1d1h1m1s"),
      (-5, "0 seconds", "0s"),
    ])
  func words(seconds: Int, text: String, word: String) {
    #expect(durationText(.seconds(seconds)) == text)
    #expect(durationWord(.seconds(seconds)) == word)
  }
}
