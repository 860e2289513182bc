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

  enum CodingKeys: String, CodingKey {
    case accessToken = "access_token"
    case tokenType = "token_type"
    case expiresIn = "expires_in"
    case expiresOn = "expires_on"
    case refreshToken = "refresh_token"
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
