import FoundationEssentials

/// `msal_token_cache.json`: the cache of the MSAL libraries, as az writes it.
///
/// Entries are matched by their fields, never by the map's keys, whose form differs between the
/// libraries.
struct AzureCLITokenCache: Decodable, Sendable {
  /// The application under which az signs people in.
  static let clientID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

  /// One that has come to the right place, and nothing else of it.
  struct CachedToken: Sendable {
    var secret: String
    var expiresOn: Date
  }

  enum Person: Sendable, Equatable {
    case unknown
    case one(homeAccountID: String)
    /// The same name in two directories: which one is meant is not written anywhere.
    case several
  }

  private struct Account: Decodable, Sendable {
    var home_account_id: String
    var environment: String
    var username: String
    var authority_type: String?
  }

  private struct Access: Decodable, Sendable {
    var secret: String
    var home_account_id: String?
    var environment: String
    var client_id: String
    var target: String
    var realm: String
    var token_type: String?
    var cached_at: LooseNumber?
    var expires_on: LooseNumber
    // Bound to a key or to a context: not ours to use.
    var key_id: String?
    var keyid: String?
    var ext_cache_key: String?
  }

  private struct Refresh: Decodable, Sendable {
    var secret: String
    var home_account_id: String
    var environment: String
    var client_id: String
    var last_modification_time: LooseNumber?
  }

  private var accounts: [Account]
  private var accessTokens: [Access]
  private var refreshTokens: [Refresh]

  private enum CodingKeys: String, CodingKey {
    case accounts = "Account"
    case accessTokens = "AccessToken"
    case refreshTokens = "RefreshToken"
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func values<Value: Decodable & Sendable>(_ key: CodingKeys) throws -> [Value] {
      let map = try container.decodeIfPresent([String: Lossy<Value>].self, forKey: key) ?? [:]
      return map.values.compactMap(\.value)
    }
    accounts = try values(.accounts)
    accessTokens = try values(.accessTokens)
    refreshTokens = try values(.refreshTokens)
  }

  /// The account of a user name in a cloud.
  func person(named name: String, aliases: Set<String>) -> Person {
    let homes = Set(
      accounts.filter {
        $0.username.lowercased() == name.lowercased()
          && aliases.contains($0.environment.lowercased())
          && $0.authority_type?.uppercased() != "ADFS"
      }.map { $0.home_account_id.lowercased() })
    guard let home = homes.first else { return .unknown }
    return homes.count == 1 ? .one(homeAccountID: home) : .several
  }

  /// An access token that lasts five more minutes; of several the one that lasts longest.
  ///
  /// - Parameters:
  ///   - homeAccountID: nil for an application, which has no account.
  ///   - scopes: the spellings of one wish; any of them will do.
  func accessToken(
    homeAccountID: String?, clientID: String = Self.clientID, tenant: String,
    aliases: Set<String>, scopes: [String], now: Date
  ) -> CachedToken? {
    let wanted = Set(scopes.map { $0.lowercased() })
    let now = now.timeIntervalSince1970
    let fitting = accessTokens.filter { token in
      token.home_account_id?.lowercased() == homeAccountID
        && token.client_id.lowercased() == clientID.lowercased()
        && token.realm.lowercased() == tenant.lowercased()
        && aliases.contains(token.environment.lowercased())
        && (token.token_type ?? "Bearer").lowercased() == "bearer"
        && token.key_id == nil && token.keyid == nil && token.ext_cache_key == nil
        && token.target.lowercased().split(separator: " ").contains { wanted.contains(String($0)) }
        && token.expires_on.value - now >= TokenStore.margin
        && token.expires_on.value - now < 30 * 86_400
        && (token.cached_at.map { $0.value <= now } ?? true)
        && TokenAnswer.isToken(token.secret)
    }
    return fitting.max { $0.expires_on.value < $1.expires_on.value }.map {
      CachedToken(
        secret: $0.secret, expiresOn: Date(timeIntervalSince1970: $0.expires_on.value))
    }
  }

  /// The newest refresh token of an account; it serves every tenant and every resource.
  func refreshToken(homeAccountID: String, aliases: Set<String>) -> String? {
    refreshTokens.filter {
      $0.home_account_id.lowercased() == homeAccountID
        && $0.client_id.lowercased() == Self.clientID
        && aliases.contains($0.environment.lowercased()) && !$0.secret.isEmpty
    }.max { age($0) < age($1) }?.secret
  }

  private func age(_ token: Refresh) -> Double {
    let time = token.last_modification_time?.value ?? 0
    return time.isFinite ? time : 0
  }
}
