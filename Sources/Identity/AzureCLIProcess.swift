import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `az account get-access-token`, for logins whose files cannot be read: service principals,
/// managed identities, encrypted caches, brokers.
struct AzureCLIProcess: Sendable {
  let context: CredentialContext
  let folder: AzureCLIFolder
  var timeout = Duration.seconds(10)

  func token(
    scope: String, login: AzureCLICredential.Login
  ) async throws(CredentialError) -> AccessToken {
    guard isCloudOfAz else {
      throw .unavailable(
        "az is set to \(printable(folder.cloudName ?? "AzureCloud", limit: 60)), "
          + "not to \(context.cloud.name)")
    }
    var arguments = ["account", "get-access-token", "--output", "json", "--resource"]
    arguments.append(try Self.resource(of: scope))
    if let subscription = login.subscription {
      // Tells az the user and the tenant at once; it takes only one of the two.
      arguments += ["--subscription", subscription]
    } else {
      guard login.user.kind == .person || login.user.kind == .servicePrincipal else {
        throw .unavailable("az's managed identity belongs to another tenant")
      }
      arguments += ["--tenant", login.tenant]
    }
    let output = try await tool.run(arguments) { Self.failure(of: $0, login, tool) }
    guard let answer = Self.answer(in: output.standardOutput) else {
      throw .failed(tool.failure("its output is not readable"))
    }
    guard let expiry = answer.expiry, expiry > context.clock.now() else {
      throw .failed(.tokenWithoutEnd(AzureCLICredential.name))
    }
    return AccessToken(
      secret: SecretBytes(Array(answer.accessToken.utf8)), expiresOn: expiry,
      tenant: answer.tenant ?? login.tenant, source: AzureCLICredential.name,
      account: login.user.name)
  }

  /// Whether az would ask the very cloud that was chosen: a token of another must never go there.
  private var isCloudOfAz: Bool {
    let cloud = context.cloud
    guard (folder.cloudName ?? "AzureCloud").lowercased() == cloud.name.lowercased() else {
      return false
    }
    let variable = context.environment["ARM_CLOUD_METADATA_URL"]
    if cloud.metadataURL != nil || variable != nil { return cloud.metadataURL == variable }
    guard let known = CloudDirectory.localCloud(named: cloud.name, in: folder) else { return false }
    return known.resourceManager == cloud.resourceManager
  }

  private static func resource(of scope: String) throws(CredentialError) -> String {
    var resource = scope
    if resource.hasSuffix("/.default") { resource.removeLast("/.default".count) }
    let isSafe = resource.utf8.allSatisfy { (0x21...0x7E).contains($0) } && resource.first != "-"
    guard isSafe, !resource.isEmpty else {
      throw .failed(
        Failure(
          .systemFailed, what: "\"\(printable(scope, limit: 100))\" is no scope that az can take"))
    }
    return resource
  }

  private var tool: DeveloperTool {
    DeveloperTool(
      credential: AzureCLICredential.name, name: "az", check: "az account get-access-token",
      environment: context.environment, timeout: timeout)
  }

  private static func failure(
    of output: ChildProcess.Output, _ login: AzureCLICredential.Login, _ tool: DeveloperTool
  ) -> CredentialError {
    let text = DeveloperTool.redacted(String(decoding: output.standardError, as: UTF8.self))
    let line = DeveloperTool.firstMeaningful(text)
    if text.contains("AADSTS") {
      let refusal = TokenRefusal(error: "invalid_grant", description: line)
      return .failed(
        .signIn(refusal, status: nil, subject: login.subject(scope: "", claims: nil)))
    }
    if text.contains("az login") || text.contains("az account set") {
      return .unavailable("az is not signed in")
    }
    return .failed(tool.failure(line))
  }

  // MARK: The output

  struct Answer: Decodable {
    var accessToken: String
    var tenant: String?
    /// Epoch seconds, since az 2.54.
    var expires_on: LooseNumber?
    /// Local time without a zone, in every version.
    var expiresOn: String?

    var expiry: Date? {
      if let value = expires_on?.value, value.isFinite, value > 0, value < 1e11 {
        return Date(timeIntervalSince1970: value)
      }
      return expiresOn.flatMap(localTime)
    }
  }

  /// The first JSON object that holds a token: warnings may stand before it.
  static func answer(in output: [UInt8]) -> Answer? {
    var rest = output[...]
    var attempts = 0
    while let start = rest.firstIndex(of: UInt8(ascii: "{")), attempts < 16 {
      attempts += 1
      let end = rest.lastIndex(of: UInt8(ascii: "}")) ?? start
      if end > start,
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(rest[start...end])),
        TokenAnswer.isToken(answer.accessToken)
      {
        return answer
      }
      rest = rest[(start + 1)...]
    }
    return nil
  }

  /// `2026-10-25 02:30:00.000000` in this machine's zone.
  ///
  /// In the hour that comes twice the earlier one: a token thrown away too soon does no harm.
  static func localTime(_ text: String) -> Date? {
    let numbers = text.split { !$0.isASCII || !$0.isNumber }.prefix(6).compactMap { Int32($0) }
    guard numbers.count == 6, (1970...9999).contains(numbers[0]) else { return nil }
    var found: [time_t] = []
    for isSummer in [0, 1] as [Int32] {
      var fields = unsafe tm()
      unsafe fields.tm_year = numbers[0] - 1900
      unsafe fields.tm_mon = numbers[1] - 1
      unsafe fields.tm_mday = numbers[2]
      unsafe fields.tm_hour = numbers[3]
      unsafe fields.tm_min = numbers[4]
      unsafe fields.tm_sec = numbers[5]
      unsafe fields.tm_isdst = isSummer
      let time = unsafe mktime(&fields)
      // mktime corrects what does not exist; only what stays as it was is meant.
      let isKept = unsafe fields.tm_isdst == isSummer && fields.tm_hour == numbers[3]
      if time != -1, isKept { found.append(time) }
    }
    return found.min().map { Date(timeIntervalSince1970: TimeInterval($0)) }
  }
}
