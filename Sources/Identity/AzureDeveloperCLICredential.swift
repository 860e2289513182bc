import FoundationEssentials
import Platform

/// The login that `azd` keeps, asked from azd itself.
struct AzureDeveloperCLICredential: Credential {
  static let name = "AzureDeveloperCLICredential"

  let folder: String
  let context: CredentialContext
  var timeout = Duration.seconds(10)

  var name: String { Self.name }

  /// Told by azd's file, so that a machine without an azd login starts no process.
  static func find(in context: CredentialContext) -> CredentialState {
    let environment = context.environment
    guard let folder = environment["AZD_CONFIG_DIR"] ?? environment.home.map({ $0 + "/.azd" })
    else { return .absent("there is no home folder to look for an azd login in") }
    guard Files.kind(of: folder + "/auth.json", followingLinks: true)?.isRegular == true else {
      return .absent("azd is not signed in (looked in \(folder))")
    }
    return .ready(AzureDeveloperCLICredential(folder: folder, context: context))
  }

  /// Who it is only azd knows: a login that is exchanged writes the file anew.
  func storeIdentity(for request: TokenRequest) -> StoreIdentity? {
    guard var content = try? Files.read(folder + "/auth.json", limit: 1 << 20) else { return nil }
    defer { overwrite(&content) }
    return StoreIdentity(
      credential: "\(name) \(sha256Hex([Array(folder.utf8), content]))",
      tenant: (request.tenant ?? "").lowercased())
  }

  func token(for request: TokenRequest) async throws(CredentialError) -> AccessToken {
    guard request.sshKey == nil else { throw .failed(.noCertificate(name)) }
    // azd signs in to the cloud of its own setting; what it gives for another one's audience there is
    // nothing, so only the place where the token goes has to be looked at.
    guard context.cloud.family != nil, context.cloud.mayReceiveTokens(ofIssuerAt: nil) else {
      throw .unavailable("azd does not know the cloud \(context.cloud.name)")
    }
    var arguments = [
      "auth", "token", "--output", "json", "--no-prompt", "--scope", request.scope,
    ]
    if let tenant = request.tenant { arguments += ["--tenant-id", tenant] }
    if let claims = request.claims {
      arguments += ["--claims", Data(claims.utf8).base64EncodedString()]
    }
    let tool = DeveloperTool(
      credential: name, name: "azd", check: "azd auth token --output json",
      environment: context.environment, timeout: timeout)
    let output = try await tool.run(arguments) { failure(of: $0, request, tool) }
    guard let answer = Self.answer(in: output.standardOutput) else {
      throw .failed(tool.failure("its output is not readable"))
    }
    guard answer.expiresOn > context.clock.now() else { throw .failed(.tokenWithoutEnd(name)) }
    let who = TokenClaims(token: answer.token)
    return AccessToken(
      secret: SecretBytes(Array(answer.token.utf8)), expiresOn: answer.expiresOn,
      tenant: request.tenant ?? who?.tid, source: name,
      account: who?.username.map { printable($0, limit: 100) })
  }

  struct Answer: Decodable {
    var token: String
    var expiresOn: Date
  }

  static func answer(in output: [UInt8]) -> Answer? {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    guard let answer = try? decoder.decode(Answer.self, from: Data(output)),
      TokenAnswer.isToken(answer.token)
    else { return nil }
    return answer
  }

  private func failure(
    of output: ChildProcess.Output, _ request: TokenRequest, _ tool: DeveloperTool
  ) -> CredentialError {
    // Its refusals come as lines of JSON on either stream.
    let text = DeveloperTool.redacted(
      String(decoding: output.standardError + output.standardOutput, as: UTF8.self))
    let line = DeveloperTool.firstMeaningful(text)
    if text.contains("AADSTS") {
      let subject = SignInSubject(
        kind: .azureDeveloperCLI, credential: name, account: "azd's user",
        clientID: AzureCLITokenCache.clientID,
        tenant: request.tenant ?? AccountStore.anyTenant, scope: request.scope)
      let refusal = TokenRefusal(error: "invalid_grant", description: line)
      return .failed(.signIn(refusal, status: nil, subject: subject))
    }
    if text.contains("azd auth login") { return .unavailable("azd is not signed in") }
    return .failed(tool.failure(line))
  }
}
