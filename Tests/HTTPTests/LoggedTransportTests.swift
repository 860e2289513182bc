import Platform
import Synchronization
import Testing

@testable import HTTP

@Suite struct LoggedTransportTests {
  private struct Fixed: HTTPTransport {
    func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
      if request.url.contains("fails") { throw HTTPError(.timedOut, "timed out") }
      return HTTPResponse(
        status: 429,
        headers: HTTPHeaders([
          ("Retry-After", "7"), ("x-ms-request-id", "id\u{1B}[2J"), ("Set-Cookie", "secret-3"),
        ]), body: Array("secret-4".utf8))
    }
  }

  @Test(
    "a user in an address is never shown",
    arguments: [
      ("https://u:secret@h.example/p?api-version=1", "https://h.example/p?api-version=1"),
      ("https://secret@h.example", "https://h.example"),
      ("https://a@b@h.example/x@y#secret", "https://h.example/x@y"),
    ])
  func noUser(url: String, shown: String) {
    #expect(LoggedTransport.shown(url) == shown)
  }

  @Test("an exchange is told without headers, bodies and values that may be secret")
  func told() async throws {
    let lines = Mutex<[String]>([])
    let transport = LoggedTransport(Fixed()) { line in lines.withLock { $0.append(line) } }
    let url = "https://arm.example/a/b?api-version=2020-01-01&%24top=5&$skiptoken=secret-1&x"
    let response = try await transport.send(
      HTTPRequest(
        .post, url, headers: [("Authorization", "Bearer secret-2")], body: Array("secret".utf8)))
    #expect(response.status == 429)
    _ = try? await transport.send(HTTPRequest(.get, "https://fails.example/"))
    let told = lines.withLock { $0 }
    #expect(told.count == 4)
    let name =
      "http: POST https://arm.example/a/b?api-version=2020-01-01&%24top=5&$skiptoken=…&x=…"
    #expect(told.first == name + ", 6 bytes")
    #expect(told.dropFirst().first?.hasPrefix(name + ": HTTP 429, 8 bytes, ") == true)
    #expect(told.dropFirst().first?.hasSuffix("x-ms-request-id id?[2J, retry-after 7") == true)
    #expect(told.last == "http: GET https://fails.example/: timed out")
    #expect(!told.joined().contains("secret"))
  }
}
