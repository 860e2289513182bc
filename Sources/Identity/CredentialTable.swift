import Platform

/// One place in the chain.
struct CredentialRow: Sendable {
  /// The Azure SDKs' name.
  var name: String
  /// `dev` and `prod` of `AZURE_TOKEN_CREDENTIALS`.
  var group: CredentialGroup
  /// What else the SDKs call it.
  var otherNames: [String] = []
  /// Nil while the credential is known but not built.
  var find: (@Sendable (CredentialContext) async throws(Failure) -> CredentialState)?
}

enum CredentialGroup: String, Sendable {
  case dev, prod, none
}

/// Every credential that is known, in the order in which they are tried.
///
/// A new one is a file of its own and a line here.
let credentialTable: [CredentialRow] = [
  CredentialRow(name: EnvironmentCredential.name, group: .prod) {
    context throws(Failure) in try EnvironmentCredential.find(in: context)
  },
  CredentialRow(name: WorkloadIdentityCredential.name, group: .prod) {
    context throws(Failure) in try WorkloadIdentityCredential.find(in: context)
  },
  CredentialRow(name: GitHubActionsCredential.name, group: .none) {
    context throws(Failure) in try GitHubActionsCredential.find(in: context)
  },
  CredentialRow(name: AzurePipelinesCredential.name, group: .none) {
    context throws(Failure) in try AzurePipelinesCredential.find(in: context)
  },
  CredentialRow(name: ManagedIdentityCredential.name, group: .prod) {
    context throws(Failure) in try ManagedIdentityCredential.find(in: context)
  },
  CredentialRow(name: LoginCredential.name, group: .none, otherNames: ["DeviceCodeCredential"]) {
    context throws(Failure) in try LoginCredential.find(in: context)
  },
  CredentialRow(name: AzureCLICredential.name, group: .dev) { context in
    await AzureCLICredential.find(in: context)
  },
  CredentialRow(name: AzureDeveloperCLICredential.name, group: .dev) { context in
    AzureDeveloperCLICredential.find(in: context)
  },
  // Last, because nothing but a question tells whether anybody is there.
  CredentialRow(name: ManagedIdentityCredential.name, group: .prod) {
    context throws(Failure) in try ManagedIdentityCredential.findOnMachine(in: context)
  },
  CredentialRow(name: "AzurePowerShellCredential", group: .dev),
  CredentialRow(name: "VisualStudioCodeCredential", group: .dev),
]

/// Which credentials of the table may be used.
struct CredentialSelection: Sendable {
  var rows: [CredentialRow]
  /// Where the choice was made: `--identity X`; nil where none was made.
  var reason: String?
  /// One credential was named, not a group.
  var isOne = false
  /// A person of our own login was named.
  var account: String?

  /// The choice of `--identity`, else of `AZURE_TOKEN_CREDENTIALS`, else everything.
  ///
  /// Names are taken as the SDKs spell them, without regard to case, and without their ending:
  /// `AzureCLICredential`, `azurecli`. `--identity` also takes a person who is signed in with
  /// `jitconnect login`: `ada@contoso.com`.
  init(
    identity: String?, environment: Environment, table: [CredentialRow] = credentialTable
  ) throws(Failure) {
    let variable = "AZURE_TOKEN_CREDENTIALS"
    let source = identity == nil ? variable : "--identity"
    guard let text = identity ?? environment[variable] else {
      rows = table
      return
    }
    let wanted = text.trimmingASCIISpace.lowercased()
    reason = "\(source) \(printable(text, limit: 60))"
    if let group = CredentialGroup(rawValue: wanted), group != .none {
      rows = table.filter { $0.group == group }
      return
    }
    if identity != nil, wanted.contains("@") {
      account = text.trimmingASCIISpace
      rows = table.filter { $0.name == LoginCredential.name }
      return
    }
    isOne = true
    rows = table.filter { row in
      ([row.name] + row.otherNames).contains {
        let name = $0.lowercased()
        return name == wanted || name == wanted + "credential"
      }
    }
    if rows.isEmpty {
      var names: [String] = []
      for row in table where row.find != nil && !names.contains(row.name) { names.append(row.name) }
      throw Failure(
        .settingInvalid,
        what: "\(source): there is no credential \"\(printable(text, limit: 60))\"",
        why: "known here: \((names + ["dev", "prod"]).joined(separator: ", "))",
        next: names.first.map { "jitconnect --identity \($0) …" })
    }
    if rows.allSatisfy({ $0.find == nil }) {
      throw Failure(
        .notBuiltIn, what: "\(source): \(rows.first?.name ?? wanted) is not built in yet",
        next: "jitconnect login, or choose another one with --identity")
    }
  }
}
