import Platform
import Testing

@testable import RDP

@Suite struct RDPClientTests {
  private let session = RDPClient.Session(
    file: "/tmp/x/web1.rdp", host: "20.1.2.3", port: 3389, user: "ann",
    fingerprint: [0xAB, 0x01, 0xFF])

  private func arguments(
    _ kind: RDPClient.Kind, _ change: (inout RDPClient.Session) -> Void = { _ in }
  ) throws -> [String] {
    var session = session
    change(&session)
    return try RDPClient(kind: kind, path: "/usr/bin/x").arguments(for: session)
  }

  @Test("each client is started in its own way, FreeRDP with the certificate that was seen")
  func rows() throws {
    #expect(
      try arguments(.freeRDP)
        == ["/tmp/x/web1.rdp", "/cert:deny,fingerprint:sha256:ab:01:ff"])
    #expect(try arguments(.freeRDP) { $0.fingerprint = nil } == ["/tmp/x/web1.rdp"])
    #expect(
      try arguments(.freeRDP) {
        $0.host = "2001:db8::1"
        $0.fingerprint = nil
      } == ["/tmp/x/web1.rdp", "/v:[2001:db8::1]:3389"])
    #expect(try arguments(.remmina) == ["-c", "/tmp/x/web1.rdp"])
    #expect(
      try arguments(.windowsApp("Windows App")) == ["-a", "Windows App", "/tmp/x/web1.rdp"])
    #expect(try arguments(.mstsc) { $0.file = #"C:\tmp\web1.rdp"# } == [#"C:\tmp\web1.rdp"#])
    #expect(
      try arguments(.command(["show", "-x", "%u@%h:%p", "100%%", "%f"]))
        == ["-x", "ann@20.1.2.3:3389", "100%", "/tmp/x/web1.rdp"])
    #expect(try arguments(.command(["show", "now"])) == ["now", "/tmp/x/web1.rdp"])
    #expect(throws: Failure.self) { try arguments(.command(["show", "%x"])) }
    #expect(throws: Failure.self) { try arguments(.command(["show", "%"])) }
  }

  @Test(
    "a file that a client would take for an option or a host is not handed over",
    arguments: [
      "web1.rdp", "-o.rdp", "+x.rdp", "/tmp/x/web1.txt", "",
    ])
  func files(file: String) {
    #expect(throws: Failure.self) { try arguments(.freeRDP) { $0.file = file } }
    #expect(throws: Failure.self) { try arguments(.mstsc) { $0.file = "/v.rdp" } }
  }

  @Test(
    "the client is the first that is there, or the one that was named",
    arguments: [
      (nil, .linux, ["xfreerdp", "remmina"], .freeRDP, "/bin/xfreerdp"),
      ("auto", .linux, ["xfreerdp", "xfreerdp3"], .freeRDP, "/bin/xfreerdp3"),
      ("remmina", .linux, ["xfreerdp", "remmina"], .remmina, "/bin/remmina"),
      ("xfreerdp", .linux, ["xfreerdp", "xfreerdp3"], .freeRDP, "/bin/xfreerdp"),
      (nil, .macOS, ["open", "xfreerdp"], .windowsApp("Windows App"), "/bin/open"),
      (nil, .windows, ["mstsc.exe"], .mstsc, "/bin/mstsc.exe"),
      (
        "my 'two words' \"%f\"", .linux, ["my"], .command(["my", "two words", "%f"]), "/bin/my"
      ),
      ("/opt/x --go", .linux, [], .command(["/opt/x", "--go"]), "/opt/x"),
    ] as [(String?, RDPClient.System, [String], RDPClient.Kind, String)])
  func choice(
    setting: String?, system: RDPClient.System, there: [String], kind: RDPClient.Kind, path: String
  ) throws {
    let client = try RDPClient.choose(setting, on: system) {
      there.contains($0) ? "/bin/\($0)" : nil
    }
    #expect(client == RDPClient(kind: kind, path: path))
  }

  @Test("a client that is not there is an error that says what was looked for")
  func missing() {
    for setting in [nil, "remmina", "freerdp", "nothing %f", ""] {
      let error = #expect(throws: Failure.self) {
        try RDPClient.choose(setting, on: .linux) { _ in nil }
      }
      #expect(error?.code == .notFound)
    }
    #expect(throws: Failure.self) {
      try RDPClient.choose("x 'open", on: .linux) { "/bin/\($0)" }
    }
  }
}
