import FoundationEssentials
import Identity
import Platform
import Terminal

/// What `whoami` and `login` tell, as their JSON has it.
struct SignInReport: Encodable {
  struct Entry: Encodable {
    var account: String
    var tenants: [String]
  }

  var account: String?
  var tenant: String?
  var cloud: String
  /// The credential, by its Azure SDK name.
  var source: String
  var expiresOn: Date
  var secondsLeft: Int
  /// Who is signed in with `jitconnect login`, the last one first.
  var accounts: [Entry]?

  init(_ token: AccessToken, cloud: Cloud, now: Date) {
    account = token.account
    tenant = token.tenant
    self.cloud = cloud.name
    source = token.source
    expiresOn = token.expiresOn
    // A token's life is held within a month where it is read.
    secondsLeft = max(0, Int(token.expiresOn.timeIntervalSince(now)))
  }

  func text(for console: Console, now: Date) -> String {
    var rows = [
      ("account", account ?? "not known"), ("tenant", tenant ?? "the account's own"),
      ("cloud", cloud), ("source", source + (Self.origins[source].map { " (\($0))" } ?? "")),
      (
        "expires",
        "\(localTimeText(expiresOn, now: now)), in \(Self.span(secondsLeft))"
      ),
    ]
    let others = (accounts ?? []).map(\.account).filter { $0 != account }
    if !others.isEmpty { rows.append(("also", others.joined(separator: ", "))) }
    guard console.outputIsTerminal else {
      return rows.map { "\($0.0)\t\(printable($0.1))\n" }.joined()
    }
    return rows.map { name, value in
      name + String(repeating: " ", count: 9 - name.count) + printable(value) + "\n"
    }.joined()
  }

  /// Where each credential's secret lies, in words.
  private static let origins = [
    "EnvironmentCredential": "AZURE_CLIENT_ID and its secret or certificate",
    "WorkloadIdentityCredential": "AZURE_FEDERATED_TOKEN_FILE",
    "GitHubActionsCredential": "the pipeline's own token",
    "AzurePipelinesCredential": "the pipeline's own token",
    "ManagedIdentityCredential": "this machine's own identity",
    "InteractiveBrowserCredential": "jitconnect login",
    "AzureCLICredential": "az login", "AzureDeveloperCLICredential": "azd auth login",
  ]

  private static func span(_ seconds: Int) -> String {
    let minutes = seconds / 60
    if minutes < 1 { return "less than a minute" }
    if minutes < 120 { return "\(minutes) min" }
    return "\(minutes / 60) h \(minutes % 60) min"
  }
}
