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
    guard let program = ChildProcess.find("az", in: context.environment) else {
      throw .unavailable("az is signed in, but the program az is not on PATH")
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
    let output = try await run(program, arguments, login)
    guard let answer = Self.answer(in: output.standardOutput) else {
      throw .failed(
        Failure(
          .programFailed, what: "\(AzureCLICredential.name): az gave no token",
          why: "its output is not readable", next: "az account get-access-token"))
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

  private func run(
    _ program: String, _ arguments: [String], _ login: AzureCLICredential.Login
  ) async throws(CredentialError) -> ChildProcess.Output {
    var variables = context.environment.withoutSecrets
    variables["AZURE_CORE_NO_COLOR"] = "true"
    // Not the current folder: az is Python, which would import modules that lie there.
    let process = ChildProcess(
      path: program, arguments: arguments, environment: variables, directory: "/")
    let timeout = timeout
    let output: ChildProcess.Output
    do {
      output = try await Blocking.run { try process.run(timeout: timeout) }
    } catch {
      throw .failed(
        Failure(
          .programFailed, what: "\(AzureCLICredential.name): \(program) cannot be started",
          why: "\(error)", next: "az account show"))
    }
    switch output.ending {
    case .exited(0): return output
    case .exited(127): throw .unavailable("the program az on PATH does not run")
    case .timedOut:
      throw .failed(
        Failure(
          .programFailed,
          what: "\(AzureCLICredential.name): az gave no token "
            + "within \(timeout.components.seconds) seconds",
          next: "az account get-access-token, and try again once it answers"))
    case .exited, .signalled:
      throw Self.failure(of: output, login)
    }
  }

  private static func failure(
    of output: ChildProcess.Output, _ login: AzureCLICredential.Login
  ) -> CredentialError {
    let text = redacted(String(decoding: output.standardError, as: UTF8.self))
    if text.contains("AADSTS") {
      let refusal = TokenRefusal(error: "invalid_grant", description: firstMeaningful(text))
      return .failed(
        .signIn(refusal, status: nil, subject: login.subject(scope: "", claims: nil)))
    }
    if text.contains("az login") || text.contains("az account set") {
      return .unavailable("az is not signed in")
    }
    return .failed(
      Failure(
        .programFailed, what: "\(AzureCLICredential.name): az gave no token",
        why: printable(firstMeaningful(text), limit: 400), next: "az account get-access-token"))
  }

  /// The line that says most: the one with an error code, else the first that is no warning.
  private static func firstMeaningful(_ text: String) -> String {
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    let line =
      lines.first { $0.contains("AADSTS") } ?? lines.first { $0.hasPrefix("ERROR:") }
      ?? lines.first { !$0.hasPrefix("WARNING:") } ?? ""
    return line.hasPrefix("ERROR: ") ? String(line.dropFirst(7)) : line
  }

  /// Without anything that looks like a token.
  static func redacted(_ text: String) -> String {
    text.split(separator: "\"", omittingEmptySubsequences: false).map { part in
      part.split(separator: " ", omittingEmptySubsequences: false).map { word in
        word.count > 60 && !word.contains("/") || word.hasPrefix("eyJ") ? "(removed)" : String(word)
      }.joined(separator: " ")
    }.joined(separator: "\"")
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
