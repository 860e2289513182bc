import FoundationEssentials
import Platform

/// What a JWT says about its owner; nothing here is checked, and nothing is decided by it but words.
struct TokenClaims: Decodable, Sendable {
  var iss: String?
  var sub: String?
  var aud: String?
  var tid: String?
  var oid: String?
  var nonce: String?
  var preferredUsername: String?
  var upn: String?
  var email: String?

  private enum CodingKeys: String, CodingKey {
    case iss, sub, aud, tid, oid, nonce, upn, email
    case preferredUsername = "preferred_username"
  }

  /// Nil for what is no JWT.
  init?(token: String) {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1].utf8.count < 64 << 10, let payload = bytes(base64: parts[1]),
      let claims = try? JSONDecoder().decode(TokenClaims.self, from: Data(payload))
    else { return nil }
    self = claims
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func text(_ key: CodingKeys) -> String? { try? container.decode(String.self, forKey: key) }
    iss = text(.iss)
    sub = text(.sub)
    aud = text(.aud) ?? (try? container.decode([String].self, forKey: .aud))?.first
    tid = text(.tid)
    oid = text(.oid)
    nonce = text(.nonce)
    preferredUsername = text(.preferredUsername)
    upn = text(.upn)
    email = text(.email)
  }

  /// A person's name, as it is typed at a sign-in.
  var username: String? { preferredUsername ?? upn ?? email }

  /// The three words that a federated credential compares.
  var federationText: String {
    [("issuer", iss), ("subject", sub), ("audience", aud)].map { name, value in
      "\(name) \(value.map { printable($0, limit: 200) } ?? "nothing")"
    }.joined(separator: ", ")
  }
}
