/// Why no answer came. An answer of any status is not an error here.
package struct HTTPError: Error, Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    /// The name of the host could not be resolved.
    case nameNotFound
    /// No connection: refused, unreachable, or the proxy refused.
    case connectFailed
    /// The certificate or the TLS handshake.
    case tlsFailed
    case timedOut
    /// The connection broke off before the answer was whole; the request may have been carried out.
    case interrupted
    case bodyTooLarge
    /// Not a URL, a scheme that is not allowed, or a header with a line break.
    case requestInvalid
    case answerInvalid
    case cancelled
    case outOfMemory
  }

  package var kind: Kind
  /// The library's own words, for the user.
  package var message: String
  /// The `CURLcode`, where curl said it.
  package var curlCode: Int?

  package init(_ kind: Kind, _ message: String, curlCode: Int? = nil) {
    self.kind = kind
    self.message = message
    self.curlCode = curlCode
  }

  /// Whether the server cannot have acted on the request, so that any request may be made again.
  package var requestWasNotSent: Bool {
    switch kind {
    case .nameNotFound, .connectFailed, .tlsFailed: true
    default: false
    }
  }
}
