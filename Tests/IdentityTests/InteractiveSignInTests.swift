import FoundationEssentials
import HTTP
import Platform
import Synchronization
import Testing

@testable import Identity

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Signing in with the browser and with a device code.
@Suite struct InteractiveSignInTests {
  // MARK: The device code

  private static let codeURL =
    "https://login.microsoftonline.com/organizations/oauth2/v2.0/devicecode"
  private static let code =
    #"{"user_code":"ABC","device_code":"dev-code","verification_uri":"https://x/device","expires_in":"900","interval":"7","message":"open https://x/device and type ABC"}"#

  private func refusal(_ error: String) -> String {
    #"{"error":"\#(error)","error_description":"AADSTS70016: x","error_codes":[70016]}"#
  }

  @Test("the code is looked at in the server's pace, through slow downs and a broken network")
  func deviceCode() async throws {
    let slept = Mutex<[Duration]>([])
    var fixture = try LoginFixture()
    fixture.chain.context.sleep = { pause in slept.withLock { $0.append(pause) } }
    let login = fixture.chain.login
    let url = tokenURL("organizations")
    login.expectToken(Self.codeURL, Self.code)
    login.expectToken(url, status: 400, refusal("authorization_pending"))
    login.expectToken(url, status: 400, refusal("slow_down"))
    for _ in 0..<3 { login.expect(.post, url) { _ in .failure(HTTPError(.connectFailed, "no")) } }
    login.expectToken(url, personAnswer("abc", tenant: tenantB))
    let told = Mutex<[String]>([])
    let (account, token) = try await fixture.signIn.signInWithDeviceCode(.init()) { text in
      told.withLock { $0.append(text) }
    }
    #expect(account.username == "ada@example.com")
    #expect(account.tenants == [tenantB])
    #expect(token.secret.exposedText == "abc")
    #expect(told.withLock { $0 } == ["open https://x/device and type ABC"])
    let pauses = slept.withLock { $0 }.filter { $0 >= .seconds(5) }
    #expect(pauses == [.seconds(7), .seconds(7), .seconds(12), .seconds(12)])
    let sent = form(of: login.requests.last)
    #expect(sent["device_code"] == "dev-code")
    #expect(sent["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code")
    login.verify()
    // And the sign-in serves.
    #expect(try await fixture.chain.chain().token(for: .arm).secret.exposedText == "abc")
  }

  @Test(
    "declined, wrong and expired codes end the wait",
    arguments: ["authorization_declined", "bad_verification_code", "expired_token"])
  func ended(error: String) async throws {
    let fixture = try LoginFixture()
    fixture.chain.login.expectToken(Self.codeURL, Self.code)
    fixture.chain.login.expectToken(
      tokenURL("organizations"), status: 400,
      #"{"error":"\#(error)","error_description":"x"}"#)
    let failure = await failure {
      _ = try await fixture.signIn.signInWithDeviceCode(.init()) { _ in }
    }
    #expect([.signInRefused, .signInNeeded].contains(failure?.code))
    fixture.chain.login.verify()
  }

  @Test("a sign-in whose answer does not say who and where is not kept")
  func unclear() async throws {
    for body in [
      tokenBody("abc"), personAnswer("abc", refresh: nil), personAnswer("abc", tenant: "../x"),
      personAnswer("abc", audience: "other"),
    ] {
      let fixture = try LoginFixture()
      fixture.chain.login.expectToken(Self.codeURL, Self.code)
      fixture.chain.login.expectToken(tokenURL("organizations"), body)
      let failure = await failure {
        _ = try await fixture.signIn.signInWithDeviceCode(.init()) { _ in }
      }
      #expect(failure?.code == .azureAnswerInvalid)
      #expect(fixture.accounts.all.isEmpty)
    }
  }

  @Test("a second sign-in of one person adds its tenant and stands first")
  func again() async throws {
    let fixture = try LoginFixture()
    try await fixture.add(fixture.account())
    try await fixture.add(fixture.account("oid-2", name: "bob@example.com"))
    fixture.chain.login.expectToken(
      "https://login.microsoftonline.com/\(tenantB)/oauth2/v2.0/devicecode", Self.code)
    fixture.chain.login.expectToken(tokenURL(tenantB), personAnswer("abc", tenant: tenantB))
    _ = try await fixture.signIn.signInWithDeviceCode(.init(tenant: tenantB)) { _ in }
    let accounts = fixture.accounts.accounts(in: .azureCloud)
    #expect(accounts.map(\.username) == ["ada@example.com", "bob@example.com"])
    #expect(accounts.first?.tenants == [tenantB, tenantA])
  }

  // MARK: The port of the browser

  private func post(_ body: String, port: UInt16, head: String? = nil) throws -> String {
    let head =
      head
      ?? "POST / HTTP/1.1\r\nHost: localhost:\(port)\r\n"
      + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: \(body.utf8.count)"
    let address = try #require(
      try InternetAddress.resolve("127.0.0.1", port: port, numericOnly: true).first)
    let descriptor = FileDescriptor(owning: try address.startConnecting())
    setNonBlocking(descriptor.number, false)
    var ready = pollfd(fd: descriptor.number, events: Int16(POLLOUT), revents: 0)
    _ = unsafe poll(&ready, 1, 10_000)
    try writeAll(descriptor.number, Array((head + "\r\n\r\n" + body).utf8))
    var answer: [UInt8] = []
    while let more = try? readSome(descriptor.number, limit: 4096), !more.isEmpty {
      answer += more
    }
    return String(decoding: answer, as: UTF8.self)
  }

  @Test("only a post with the right state is an answer; everything else is turned away")
  func receiver() async throws {
    let receiver = try LoopbackReceiver()
    let port = receiver.port
    async let answer = receiver.receive(state: "right", within: .seconds(60))
    for (body, head, status) in [
      ("code=c&state=wrong", nil, 400), ("code=c", nil, 400), ("", nil, 400),
      ("state=right", nil, 400),
      ("", "GET /?code=c&state=right HTTP/1.1\r\nHost: localhost:\(port)", 405),
      ("", "GET /favicon.ico HTTP/1.1\r\nHost: localhost:\(port)", 404),
      ("code=c&state=right", "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 18", 400),
      (
        "code=c&state=right", "POST / HTTP/1.1\r\nHost: localhost:\(port)\r\nContent-Length: 18",
        400
      ),
      ("", "nonsense", 400), ("", "POST / HTTP/1.1\r\nContent-Length: 99999999", 400),
    ] as [(String, String?, Int)] {
      let text = try await Blocking.run { try post(body, port: port, head: head) }
      #expect(text.hasPrefix("HTTP/1.1 \(status) "), "\(head ?? body): \(text)")
    }
    // A connection that says nothing holds nobody up.
    let silent = try #require(
      try InternetAddress.resolve("127.0.0.1", port: port, numericOnly: true).first)
    let idle = FileDescriptor(owning: try silent.startConnecting())
    let page = try await Blocking.run { try post("code=the%2Dcode%21&state=right", port: port) }
    #expect(page.contains("Go on in the terminal"))
    guard case .code(let code) = try await answer else {
      Issue.record("no code")
      return
    }
    #expect(code.exposedText == "the-code!")
    _ = consume idle
  }

  @Test("a refusal is shown as text, and ends the wait")
  func refusedInBrowser() async throws {
    let receiver = try LoopbackReceiver()
    let port = receiver.port
    async let answer = receiver.receive(state: "right", within: .seconds(60))
    let page = try await Blocking.run {
      try post(
        "error=access_denied&error_description=AADSTS65004%3A+%3Cscript%3Ex&state=right",
        port: port)
    }
    #expect(page.contains("AADSTS65004: &lt;script&gt;x"))
    guard case .refusal(let refusal) = try await answer else {
      Issue.record("no refusal")
      return
    }
    #expect(refusal.codes == [65004])
  }

  @Test("a browser that never comes back is waited for only so long")
  func neverBack() async throws {
    let receiver = try LoopbackReceiver()
    let failure = await failure {
      _ = try await receiver.receive(state: "x", within: .milliseconds(20))
    }
    #expect(failure?.code == .signInNeeded)
    #expect(failure?.next?.contains("--device-code") == true)
  }

  @Test("a sign-in that is cancelled ends at once")
  func cancelled() async throws {
    let receiver = try LoopbackReceiver()
    let task = Task { try await receiver.receive(state: "x", within: .seconds(600)) }
    task.cancel()
    let failure = await failure { _ = try await task.value }
    #expect(failure?.code == .interrupted)
  }

  // MARK: Which browser

  @Test("where nobody would see a browser there is none")
  func noBrowser() throws {
    let folder = try ScratchFolder()
    try folder.write("bin/xdg-open", "#!/bin/sh\n", mode: 0o755)
    let path = folder.path + "/bin"
    func isFound(_ variables: [String: String]) -> Bool {
      let environment = Environment(
        variables: ["PATH": path].merging(variables) { $1 }, home: nil)
      return Browser.find(in: environment) != nil
    }
    #expect(isFound(["BROWSER": path + "/xdg-open"]))
    #expect(isFound(["BROWSER": "xdg-open --new %s:other"]))
    #expect(!isFound(["BROWSER": "/nowhere/browser", "DISPLAY": ":0"]))
    #if os(Linux)
      #expect(isFound(["DISPLAY": ":0"]))
      #expect(isFound(["WAYLAND_DISPLAY": "wayland-0"]))
      #expect(!isFound([:]))
      #expect(!isFound(["DISPLAY": ":0", "SSH_CONNECTION": "x"]))
      #expect(!isFound(["DISPLAY": ":0", "CODESPACES": "true"]))
      #expect(!isFound(["DISPLAY": ":0", "PATH": "/nowhere"]))
    #endif
  }
}

extension InteractiveSignInTests {
  @Test("a port that is somebody else's on IPv6 is not taken on IPv4 alone")
  func foreignPort() throws {
    var refusals = 3
    var tried = 0
    let receiver = try LoopbackReceiver { address throws(SystemError) in
      guard address.isIPv6 else {
        tried += 1
        return try address.listen()
      }
      refusals -= 1
      throw SystemError(refusals >= 0 ? EADDRINUSE : EAFNOSUPPORT)
    }
    #expect(tried == 4)
    #expect(receiver.port > 0)
    for number in [EADDRINUSE, EACCES] {
      #expect(throws: SystemError(number)) {
        try LoopbackReceiver { address throws(SystemError) in
          if address.isIPv6 { throw SystemError(number) }
          return try address.listen()
        }
      }
    }
  }

  @Test("somebody else than --identity names signs in to nothing")
  func somebodyElse() async throws {
    for (wanted, isTaken) in [("ADA@example.com", true), ("bob@example.com", false)] {
      let fixture = try LoginFixture()
      fixture.chain.login.expectToken(
        "https://login.microsoftonline.com/organizations/oauth2/v2.0/devicecode",
        #"{"user_code":"ABC","device_code":"dev-code","interval":"1"}"#)
      fixture.chain.login.expectToken(tokenURL("organizations"), personAnswer("abc"))
      let wish = InteractiveSignIn.Wish(username: wanted)
      if isTaken {
        _ = try await fixture.signIn.signInWithDeviceCode(wish) { _ in }
        continue
      }
      let failure = await failure {
        _ = try await fixture.signIn.signInWithDeviceCode(wish) { _ in }
      }
      #expect(failure?.code == .signInRefused)
      #expect(failure?.what == "ada@example.com has signed in, not bob@example.com")
      #expect(fixture.accounts.all.isEmpty)
      #expect(Files.kind(of: fixture.state.path + "/tokens.json") == nil)
    }
  }
}
