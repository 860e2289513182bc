import Platform
import Testing

@testable import AzureSimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct ReportTests {
  private func call(_ kind: CallReport.Kind, _ started: Int, _ completed: Int?) -> CallReport.Call {
    CallReport.Call(
      kind: kind, method: "GET", path: "/", correlationID: "", requestHeaders: [:],
      requestBody: "", started: started, completed: completed)
  }

  @Test("depth counts calls that had to follow one another")
  func depth() {
    var report = CallReport()
    report.calls = [
      call(.login, 1, 2), call(.arm, 3, 6), call(.graph, 4, 5), call(.arm, 7, 10),
      call(.address, 8, 9), call(.arm, 11, nil),
    ]
    report.gateEvents = [
      .init(kind: .opened, machine: "web1", port: 22, sequence: 5),
      .init(kind: .connected, machine: "web1", port: 22, source: "203.0.113.7", sequence: 8),
    ]
    #expect(report.depth() == 3)
    #expect(report.depth(of: [.login]) == 1)
    #expect(report.depth(of: [.login, .arm, .graph]) == 4)
    #expect(report.depthBeforeConnection() == 1)
    #expect(report.count(.arm, .graph) == 4)
  }

  @Test("the report names path, version, identity and status, and no secret")
  func recorded() throws {
    let azure = try TestAzure()
    _ = try azure.signIn([("client_secret", "hush")])
    _ = try azure.call("GET", "/subscriptions", version: "2022-12-01")
    let report = azure.simulator.report
    #expect(report.calls.map(\.kind) == [.login, .arm])
    #expect(report.calls.last?.path == "/subscriptions")
    #expect(report.calls.last?.apiVersion == "2022-12-01")
    #expect(report.calls.last?.identity == SimulatedIdentity().name)
    #expect(report.calls.last?.status == 200)
    #expect(report.calls.allSatisfy { !$0.requestBody.contains("hush") })
    #expect(
      report.calls.allSatisfy { !$0.requestHeaders.values.contains { $0.contains(azure.token) } })
    azure.simulator.resetReport()
    #expect(azure.simulator.report.calls.isEmpty)
  }

  @Test("faults: status, page, empty, reset, cut, and only as often as asked")
  func faults() throws {
    let azure = try TestAzure()
    func list() throws -> Answer { try azure.call("GET", "/subscriptions", version: "2022-12-01") }
    var throttled = Fault(
      .error(429, code: "SubscriptionRequestsThrottled", message: "later"), path: "/Subscriptions")
    throttled.headers = [("Retry-After", "1")]
    azure.simulator.inject(throttled)
    #expect(try list().headers["retry-after"] == "1")
    #expect(try list().status == 200)
    azure.simulator.inject(Fault(.page(502)))
    #expect(try list().text.hasPrefix("<html>"))
    azure.simulator.inject(Fault(.empty(503)))
    #expect(try list().body.isEmpty)
    azure.simulator.inject(Fault(.cut(after: 10)))
    let cut = try list()
    #expect(cut.body.count == 10)
    #expect(cut.headers["content-length"] != "10")
    azure.simulator.inject(Fault(.reset))
    #expect((try? list().status) ?? 0 == 0)
    azure.simulator.inject(Fault(.challenge(claims: "{}", generic: false)))
    #expect(try list().headers["www-authenticate"]?.contains("claims=") == true)
    var never = Fault(.page(500), method: "PUT")
    never.times = nil
    azure.simulator.inject(never)
    #expect(try list().status == 200)
  }

  @Test("calls that overlap count as one")
  func sideBySide() async throws {
    let azure = try TestAzure()
    let arrived = try makePipe()
    let released = try makePipe()
    defer {
      for end in [arrived.read, arrived.write, released.read, released.write] { close(end) }
    }
    for _ in 0..<3 {
      // No call is answered before all three have arrived.
      azure.simulator.beforeNext("GET", "/subscriptions") { _ in
        try? writeAll(arrived.write, [0])
        _ = try? readSome(released.read, limit: 1)
      }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<3 {
        group.addTask {
          _ = try await Blocking.run {
            try azure.call("GET", "/subscriptions", version: "2022-12-01").status
          }
        }
      }
      group.addTask {
        try await Blocking.run {
          for _ in 0..<3 { _ = try readSome(arrived.read, limit: 1) }
          try writeAll(released.write, [0, 0, 0])
        }
      }
      try await group.waitForAll()
    }
    _ = try azure.call("GET", "/subscriptions", version: "2022-12-01")
    #expect(azure.simulator.report.depth() == 2)
  }

  @Test("scripts read the report and move the clock over HTTP")
  func control() throws {
    let azure = try TestAzure()
    func control(_ method: String, _ path: String) throws -> Answer {
      try azure.send(method, azure.simulator.baseURL, "/simulator/" + path)
    }
    _ = try azure.call("GET", "/subscriptions", version: "2022-12-01")
    let report = try control("GET", "report").json
    #expect(report["azureDepth"] == 1)
    #expect(report["counts"]?["arm"] == 1)
    #expect(report["calls"]?.elements?.first?["path"] == "/subscriptions")
    let before = azure.simulator.now
    #expect(try control("POST", "advance?seconds=600").status == 204)
    #expect(azure.simulator.now - before >= .seconds(600))
    #expect(try control("POST", "advance").status == 400)
    #expect(try control("POST", "reset").status == 204)
    #expect(azure.simulator.report.calls.isEmpty)
  }

  @Test("an action runs before the next matching call, once")
  func interception() throws {
    let azure = try TestAzure(SimulatorConfiguration(machines: [SimulatedMachine("web1")]))
    azure.simulator.beforeNext("GET", "/virtualMachines/web1") { $0.removeMachine("web1") }
    #expect(
      try azure.call("GET", azure.machineID("web1"), version: "2024-07-01").status == 404)
  }
}

@Suite struct HTTPServerTests {
  @Test(
    "requests that are no HTTP/1.1 are refused",
    arguments: [
      ("nonsense\r\n\r\n", 400), ("GET / HTTP/1.0\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400),
      ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
      (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400
      ),
    ])
  func malformed(request: String, status: Int) throws {
    let azure = try TestAzure()
    let port = UInt16(azure.simulator.baseURL.split(separator: ":").last ?? "") ?? 0
    let bytes = try azure.exchange(Array(request.utf8), port: port)
    #expect(Answer(parsing: bytes).status == status)
  }

  @Test("several requests on one connection, and a chunked body")
  func keptAlive() throws {
    let azure = try TestAzure()
    let port = UInt16(azure.simulator.loginURL.split(separator: ":").last ?? "") ?? 0
    let head = "POST /contoso.example/oauth2/v2.0/token HTTP/1.1\r\nHost: a\r\n"
    let chunked =
      head + "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "5\r\ngrant\r\n7\r\n_type=x\r\n0\r\n\r\n"
    let last = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    let text = String(
      decoding: try azure.exchange(Array((chunked + last).utf8), port: port), as: UTF8.self)
    #expect(text.contains("AADSTS70003"))
    #expect(text.contains("HTTP/1.1 404"))
  }
}

@Suite struct RemoteDesktopTests {
  static let request: [UInt8] = [
    0x03, 0, 0, 0x13, 0x0E, 0xE0, 0, 0, 0, 0, 0, 0x01, 0, 0x08, 0, 0x0B, 0, 0, 0,
  ]

  @Test(
    "the responder confirms a negotiation",
    arguments: [
      (RemoteDesktopResponder(.chosen(2), pieceSize: 3), 19), (RemoteDesktopResponder(.plain), 11),
      (RemoteDesktopResponder(.failure(5)), 19), (RemoteDesktopResponder(.closes), 0),
    ])
  func answers(responder: RemoteDesktopResponder, count: Int) throws {
    var machine = SimulatedMachine("win1")
    machine.system = .windows
    machine.gates = [.init(port: 3389, backend: .remoteDesktop(responder))]
    machine.rules = [SecurityRule("RDP", priority: 300, allows: true, ports: ["3389"])]
    let azure = try TestAzure(SimulatorConfiguration(machines: [machine]))
    let descriptor = FileDescriptor(
      owning: try Socket.connected(
        to: azure.simulator.gateAddress(of: "win1") ?? "", port: 3389))
    Socket.sendAll(descriptor.number, Self.request)
    var bytes: [UInt8] = []
    while bytes.count < count {
      let chunk = try readSome(descriptor.number, limit: 64)
      if chunk.isEmpty { break }
      bytes += chunk
    }
    #expect(bytes.count == count)
    if count > 0 { #expect(bytes[3] == UInt8(count)) }
  }
}

@Suite struct TextTests {
  @Test("times are written and read with seven digits")
  func times() {
    let text = "2022-11-17T11:44:50.5921811Z"
    #expect(Instant(text: text)?.text == text)
    #expect(Instant(text: text)?.httpDate == "Thu, 17 Nov 2022 11:44:50 GMT")
    #expect(Instant(text: "2018-08-21T15:22:00Z")?.americanText == "8/21/2018 3:22:00 PM")
    #expect(Instant(text: "2023-05-25T08:51:19.75+02:00")?.text == "2023-05-25T06:51:19.7500000Z")
    for bad in ["", "2022-11-17", "2022-13-17T11:44:50Z", "2022-11-17T11:44:50.12345678Z", "x"] {
      #expect(Instant(text: bad) == nil)
    }
  }

  @Test("JSON keeps members' order and numbers' text, and refuses what is none")
  func json() throws {
    let text = #"{"b":1.50,"a":[true,null,"\u00e9\ud83d\ude00\n"],"c":{}}"#
    let json = try JSON(parsing: Array(text.utf8))
    #expect(json["a"]?.elements?.last?.text == "é😀\n")
    #expect(
      String(decoding: json.encoded, as: UTF8.self)
        == "{\"b\":1.50,\"a\":[true,null,\"é😀\\u000a\"],\"c\":{}}")
    for bad in ["", "{", "{\"a\":1,}", "[1 2]", "01", "\"\\x\"", "{\"a\":1,\"a\":2}", "nul", "1 1"]
    {
      #expect(throws: JSON.ParseError.self) { try JSON(parsing: Array(bad.utf8)) }
    }
    #expect(throws: JSON.ParseError.self) {
      try JSON(parsing: Array(String(repeating: "[", count: 100_000).utf8))
    }
  }

  @Test("a permission's pattern matches across slashes, in any case")
  func permissions() {
    #expect(Caller.matches("Microsoft.Compute/virtualMachines/read", pattern: "*/READ"))
    #expect(Caller.matches("a/b/c/d", pattern: "a/*/d"))
    #expect(!Caller.matches("a/d", pattern: "a/*/d"))
    #expect(!Caller.matches("a/b/write", pattern: "*/read"))
    #expect(Caller.matches("anything", pattern: "*"))
  }
}
