/// Something that makes HTTP exchanges: libcurl in the program, a fake in unit tests.
package protocol HTTPTransport: Sendable {
  /// Makes one exchange. No redirect is followed, nothing is retried; cancelling the task ends it.
  func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse
}
