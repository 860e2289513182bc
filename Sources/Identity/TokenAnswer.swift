import FoundationEssentials
import Platform

/// What the token endpoint answers when it gives a token.
struct TokenAnswer: Decodable, Sendable {
  var accessToken: String
  var tokenType: String?
  var expiresIn: LooseNumber?
  /// Managed identities and v1 endpoints give the point in time instead.
  var expiresOn: LooseNumber?
  var refreshToken: String?
  /// Who signed in, as a JWT.
  var idToken: String?
  /// `{"uid":…,"utid":…}` in base64url: the account in its home tenant.
  var clientInfo: String?
  /// The managed identity that a metadata service chose.
  var clientID: String?

  enum CodingKeys: String, CodingKey {
    case accessToken = "access_token"
    case tokenType = "token_type"
    case expiresIn = "expires_in"
    case expiresOn = "expires_on"
    case refreshToken = "refresh_token"
    case idToken = "id_token"
    case clientInfo = "client_info"
    case clientID = "client_id"
  }

  /// What makes the answer no use; nil where nothing does.
  func problem(wantsCertificate: Bool) -> String? {
    let type = (tokenType ?? "Bearer").lowercased()
    guard Self.isToken(accessToken) else { return "the answer holds no token" }
    if wantsCertificate {
      let isCertificate = accessToken.hasPrefix(SSHCertificateKey.certificateStart)
      return type == "ssh-cert" && isCertificate
        ? nil : "the answer holds no SSH certificate but a token of the type \(printable(type))"
    }
    return type == "bearer" ? nil : "the answer holds no bearer token"
  }

  /// The token with what is known of it.
  func token(
    now: Date, tenant: String?, source: String, account: String?
  ) throws(Failure) -> AccessToken {
    guard let expiry = expiry(now: now) else {
      throw .tokenWithoutEnd(source, saysNothing: expiresOn?.value.isFinite != true)
    }
    return AccessToken(
      secret: SecretBytes(Array(accessToken.utf8)), expiresOn: expiry, tenant: tenant,
      source: source, account: account)
  }

  /// When the token ends; nil where the answer does not say, or says nonsense.
  func expiry(now: Date) -> Date? {
    let longest: Double = 30 * 86_400
    if let seconds = expiresIn?.value, seconds.isFinite, seconds > 0 {
      return now.addingTimeInterval(min(seconds, longest))
    }
    if let epoch = expiresOn?.value, epoch.isFinite {
      let left = epoch - now.timeIntervalSince1970
      if left > 0 { return now.addingTimeInterval(min(left, longest)) }
    }
    return nil
  }

  /// Whether the text can be a bearer token: it becomes part of a header line.
  static func isToken(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }
}

/// What the token endpoint answers when it refuses.
struct TokenRefusal: Decodable, Sendable {
  var error: String
  var description: String?
  var codes: [Int]
  var suberror: String?
  var correlationID: String?
  var timestamp: String?
  /// A claims challenge that a new sign-in must meet.
  var claims: String?

  private enum CodingKeys: String, CodingKey {
    case error
    case description = "error_description"
    case codes = "error_codes"
    case suberror
    case correlationID = "correlation_id"
    case timestamp
    case claims
  }

  private struct Nested: Decodable {
    var code: String?
    var message: String?
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    var text = try? container.decode(String.self, forKey: .description)
    if let error = try? container.decode(String.self, forKey: .error) {
      self.error = error
    } else {
      // Cloud Shell's and some proxies' form: {"error":{"code":…,"message":…}}
      let nested = try container.decode(Nested.self, forKey: .error)
      error = nested.code ?? "unknown"
      text = text ?? nested.message
    }
    description = text
    codes = (try? container.decode([Int].self, forKey: .codes)) ?? []
    suberror = try? container.decode(String.self, forKey: .suberror)
    correlationID = try? container.decode(String.self, forKey: .correlationID)
    timestamp = try? container.decode(String.self, forKey: .timestamp)
    claims = try? container.decode(String.self, forKey: .claims)
    if codes.isEmpty, let text, let code = Self.code(in: text) { codes = [code] }
  }

  init(error: String, description: String) {
    self.error = error
    self.description = description
    codes = Self.code(in: description).map { [$0] } ?? []
  }

  /// The number of the first `AADSTS…` in a text.
  static func code(in text: String) -> Int? {
    guard let start = text.firstRange(of: "AADSTS") else { return nil }
    return Int(text[start.upperBound...].prefix { $0.isASCII && $0.isNumber })
  }

  /// The first line of the description, without the trace that follows it.
  var firstLine: String? {
    guard let description else { return nil }
    var line = description.prefix { !$0.isNewline }
    if let trace = line.firstRange(of: "Trace ID:") { line = line[..<trace.lowerBound] }
    let text = printable(String(line), limit: 400)
    return text.isEmpty ? nil : text
  }

  /// Whether only a person can go on from here.
  var needsPerson: Bool {
    ["invalid_grant", "interaction_required", "login_required", "consent_required"]
      .contains(error)
  }

  /// Whether the same request may succeed a little later.
  var isPassing: Bool {
    if ["temporarily_unavailable", "server_error"].contains(error) { return true }
    return codes.contains {
      if case .wait = SignInCode.entry(for: $0)?.remedy { true } else { false }
    }
  }
}
