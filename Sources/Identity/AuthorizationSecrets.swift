import Platform

/// What ties an answer of the browser to the question: nobody else can know it.
struct AuthorizationSecrets: Sendable {
  /// Comes back with the code; another one is another's answer.
  let state = base64URL(randomBytes(32))
  /// Comes back in the id token.
  let nonce = base64URL(randomBytes(32))
  /// Proves at the token endpoint that the code was asked for here (PKCE, RFC 7636).
  let verifier: SecretBytes
  /// Its SHA-256, which the browser carries.
  let challenge: String

  init() {
    let text = Array(base64URL(randomBytes(48)).utf8)
    verifier = SecretBytes(text)
    challenge = base64URL(sha256(text))
  }
}
