import Platform
import Testing

@testable import HTTP

@Suite struct HTTPClientTests {
  let client = HTTPClient(
    certificates: CertificateSource(Environment(variables: [:], home: nil)))

  func send(
    _ answer: ScriptedServer.Answer, _ change: (inout HTTPRequest) -> Void = { _ in }
  ) async throws -> (HTTPResponse, ScriptedServer) {
    let server = try ScriptedServer(answer)
    var request = HTTPRequest(.get, "http://127.0.0.1:\(server.port)/path?q=1")
    change(&request)
    return (try await client.send(request), server)
  }

  @Test("status, repeated header fields and body arrive as sent")
  func answer() async throws {
    let (response, server) = try await send(
      .bytes(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: one\r\nwww-authenticate:  two \r\n"
          + "Content-Length: 3\r\n\r\nabc"))
    #expect(response.status == 401)
    #expect(response.headers.all("WWW-AUTHENTICATE") == ["one", "two"])
    #expect(response.body == Array("abc".utf8))
    #expect(server.requests.first?.hasPrefix("GET /path?q=1 HTTP/1.1\r\n") == true)
  }

  @Test("an interim answer's header fields are not the answer's")
  func interim() async throws {
    let (response, _) = try await send(
      .bytes("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"))
    #expect(response.status == 204)
    #expect(response.headers["x-early"] == nil)
  }

  @Test("a redirect is an answer, not an order")
  func redirect() async throws {
    let (response, server) = try await send(
      .bytes("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"))
    #expect(response.status == 302)
    #expect(server.requests.count == 1)
  }

  @Test(
    "each method sends its body and length",
    arguments: [
      (HTTPRequest.Method.post, "{}"), (.post, ""), (.put, "{\"a\":1}"), (.delete, ""),
    ])
  func bodies(method: HTTPRequest.Method, body: String) async throws {
    let (_, server) = try await send(.bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) {
      $0.method = method
      $0.body = body.isEmpty ? nil : Array(body.utf8)
    }
    let request = try #require(server.requests.first)
    #expect(request.hasPrefix("\(method.rawValue) "))
    if method != .delete { #expect(request.contains("Content-Length: \(body.utf8.count)\r\n")) }
  }

  @Test("a body over the limit is refused while it comes")
  func bodyLimit() async throws {
    let error = await #expect(throws: HTTPError.self) {
      try await send(
        .bytes("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 5000))
      ) { $0.bodyLimit = 4999 }
    }
    #expect(error?.kind == .bodyTooLarge)
    #expect(error?.message == "the answer is larger than 4999 bytes")
  }

  @Test(
    "a header over the limit is called that, by whoever notices",
    arguments: [(600, 10), (1, 97 << 10), (1, 400 << 10), (40, 10 << 10)])
  func headerLimit(lines: Int, length: Int) async throws {
    let line = "X-A: " + String(repeating: "x", count: length) + "\r\n"
    let error = await #expect(throws: HTTPError.self) {
      try await send(
        .bytes("HTTP/1.1 200 OK\r\n" + String(repeating: line, count: lines) + "\r\n"))
    }
    #expect(error?.kind == .bodyTooLarge)
    #expect(error?.message.contains("header is larger than") == true, "\(error?.message ?? "")")
  }

  @Test("only a body that says what it is has a content type", arguments: [true, false])
  func contentType(hasBody: Bool) async throws {
    let (_, server) = try await send(.bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) {
      $0.method = .post
      $0.body = hasBody ? Array("{}".utf8) : []
      if hasBody { $0.headers = [("content-type", "application/json")] }
    }
    let request = try #require(server.requests.first).lowercased()
    let types = request.split(separator: "\r\n").filter { $0.hasPrefix("content-type") }
    #expect(types == (hasBody ? ["content-type: application/json"] : []))
  }

  @Test("an answer that is cut short is an error, never half a body")
  func cut() async throws {
    let error = await #expect(throws: HTTPError.self) {
      try await send(.bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"))
    }
    #expect(error?.kind == .interrupted)
    #expect(error?.requestWasNotSent == false)
  }

  @Test("a reset and a refused connection are told apart")
  func resetAndRefused() async throws {
    let reset = await #expect(throws: HTTPError.self) { try await send(.reset) }
    #expect(reset?.kind == .interrupted)
    var port: UInt16 = 0
    do {
      port = try ScriptedServer(.reset).port  // gone at the end of this scope
    }
    let refused = await #expect(throws: HTTPError.self) {
      try await client.send(HTTPRequest(.get, "http://127.0.0.1:\(port)/"))
    }
    #expect(refused?.requestWasNotSent == true)
  }

  @Test("a silent server ends the request at its time limit")
  func timeout() async throws {
    let error = await #expect(throws: HTTPError.self) {
      try await send(.silence) { $0.timeout = .milliseconds(50) }
    }
    #expect(error?.kind == .timedOut)
  }

  @Test("cancelling the task ends the transfer")
  func cancellation() async throws {
    let server = try ScriptedServer(.silence)
    let client = client
    let task = Task {
      try await client.send(HTTPRequest(.get, "http://127.0.0.1:\(server.port)/"))
    }
    while server.requests.isEmpty { await Task.yield() }
    task.cancel()
    let result = await task.result
    guard case .failure(let error as HTTPError) = result else {
      Issue.record("the request ended with an answer")
      return
    }
    #expect(error.kind == .cancelled)
  }

  @Test("a request that must not be made twice is not sent again on a dead connection")
  func freshConnection() async throws {
    let server = try ScriptedServer(.keepThenReset("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    let url = "http://127.0.0.1:\(server.port)/"
    _ = try await client.send(HTTPRequest(.get, url))
    var request = HTTPRequest(.post, url, body: [])
    request.freshConnection = true
    _ = try await client.send(request)
    #expect(server.requests.count { $0.hasPrefix("POST") } == 1)
  }

  @Test(
    "addresses that must not be asked are refused before anything is sent",
    arguments: [
      "http://example.com/", "http://127.0.0.1.example.com/", "http://169.254.169.254/",
      "http://0127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "https://user@host/",
      "https://host/ blank", "https://host/\u{0A}", "https://", "http://[::2]/", "https:/host",
    ])
  func refusedAddresses(url: String) async throws {
    let error = await #expect(throws: HTTPError.self) {
      try await client.send(HTTPRequest(.get, url))
    }
    #expect(error?.kind == .requestInvalid)
  }

  @Test(
    "a header field cannot start another one",
    arguments: [("X", "a\r\nY: b"), ("X", "a\u{0}"), ("X: Y", "a"), ("", "a"), ("X\n", "a")])
  func headerInjection(name: String, value: String) async throws {
    let error = await #expect(throws: HTTPError.self) {
      try await send(.bytes("HTTP/1.1 200 OK\r\n\r\n")) { $0.headers = [(name, value)] }
    }
    #expect(error?.kind == .requestInvalid)
  }
}
