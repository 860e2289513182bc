import Testing

@testable import Identity

@Suite struct EndpointTests {
  @Test(
    "an address is read and written in one form",
    arguments: [
      ("https://login.microsoftonline.com/", "https://login.microsoftonline.com"),
      ("HTTPS://Login.Example:8443//", "https://login.example:8443"),
      ("https://login.example:443/", "https://login.example"),
      ("http://[::1]:81/a/b/", "http://[::1]:81/a/b"),
      ("https://adfs.local/adfs", "https://adfs.local/adfs"),
    ])
  func read(text: String, expected: String) {
    #expect(Endpoint(text)?.text == expected)
  }

  @Test(
    "what could hide another server is no address",
    arguments: [
      "", "https://", "https:///x", "login.example", "ftp://a", "https://a@b", "https://a:b@c",
      "https://a?x", "https://a#x", "https://a\\b", "https://a b", "https://a:0", "https://a:99999",
      "https://a:", "https://a:+1", "https://[a]", "https://[::1", "https://[::1]x", "https://.a",
      "https://a.",
      "https://-a", "https://a/../b", "https://ä.example", "https://a\n", "https://a/%2e",
    ])
  func refused(text: String) {
    #expect(Endpoint(text) == nil)
  }

  @Test(
    "loopback is 127/8, ::1 and localhost, and nothing that looks like it",
    arguments: [
      ("http://127.0.0.1:80", true), ("http://127.255.1.9", true), ("http://localhost:1", true),
      ("http://LOCALHOST", true), ("http://[::1]", true), ("http://127.0.0.1.example", false),
      ("http://127.1", false), ("http://127.0.0.256", false), ("http://128.0.0.1", false),
      ("http://localhost.example", false), ("http://[::2]", false),
    ])
  func loopback(text: String, isLoopback: Bool) {
    #expect(Endpoint(text)?.isLoopback == isLoopback)
    #expect(Endpoint(text)?.isSafe == isLoopback)
  }
}
