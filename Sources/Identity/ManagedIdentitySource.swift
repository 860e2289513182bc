import Platform

/// Where this machine's own identity is asked for, and in which form.
enum ManagedIdentitySource: Sendable {
  /// App Service, Functions, Container Apps, Automation.
  case appService(endpoint: Endpoint, header: SecretBytes)
  /// A server of one's own that Azure Arc manages: a key file proves the caller to be privileged.
  case arc(endpoint: Endpoint)
  case machineLearning(endpoint: Endpoint, secret: SecretBytes)
  /// The person who opened the shell, not the machine.
  case cloudShell(endpoint: Endpoint)
  /// Every virtual machine of Azure.
  case metadataService(endpoint: Endpoint)

  /// As people know it.
  var place: String {
    switch self {
    case .appService: "App Service"
    case .arc: "Azure Arc"
    case .machineLearning: "Azure Machine Learning"
    case .cloudShell: "Cloud Shell"
    case .metadataService: "the metadata service of this VM (IMDS)"
    }
  }

  var endpoint: Endpoint {
    switch self {
    case .appService(let endpoint, _), .arc(let endpoint), .machineLearning(let endpoint, _),
      .cloudShell(let endpoint), .metadataService(let endpoint):
      endpoint
    }
  }

  /// The source that the variables name; nil where they name none.
  ///
  /// Source of the order: microsoft-authentication-library-for-go `managedidentity.go`.
  static func named(in environment: Environment) throws(Failure) -> ManagedIdentitySource? {
    if environment["IDENTITY_ENDPOINT"] != nil {
      if environment["IDENTITY_SERVER_THUMBPRINT"] != nil {
        throw Failure(
          .notBuiltIn, what: "\(ManagedIdentityCredential.name): Service Fabric is not built in",
          why: "IDENTITY_SERVER_THUMBPRINT is set",
          next: "choose another credential: --identity EnvironmentCredential")
      }
      if let header = environment["IDENTITY_HEADER"] {
        return .appService(
          endpoint: try endpoint("IDENTITY_ENDPOINT", environment),
          header: SecretBytes(Array(header.utf8)))
      }
      if environment["IMDS_ENDPOINT"] != nil {
        return .arc(endpoint: try endpoint("IDENTITY_ENDPOINT", environment))
      }
    }
    guard environment["MSI_ENDPOINT"] != nil else { return nil }
    let endpoint = try endpoint("MSI_ENDPOINT", environment)
    guard let secret = environment["MSI_SECRET"] else { return .cloudShell(endpoint: endpoint) }
    return .machineLearning(endpoint: endpoint, secret: SecretBytes(Array(secret.utf8)))
  }

  /// The metadata service's address: `AZURE_POD_IDENTITY_AUTHORITY_HOST`, else the link-local one.
  static func metadataService(
    in environment: Environment
  ) throws(Failure) -> ManagedIdentitySource {
    let variable = "AZURE_POD_IDENTITY_AUTHORITY_HOST"
    var named = environment
    // No packet leaves the host for this address.
    if named[variable] == nil { named.variables[variable] = "http://169.254.169.254" }
    return .metadataService(endpoint: try endpoint(variable, named))
  }

  private static func endpoint(
    _ variable: String, _ environment: Environment
  ) throws(Failure) -> Endpoint {
    let text = (environment[variable] ?? "").trimmingASCIISpace
    guard let endpoint = Endpoint(text), endpoint.isSafe || endpoint.isLinkLocal else {
      throw Failure(
        .settingInvalid,
        what: "\(ManagedIdentityCredential.name): \(variable) \(printable(text, limit: 200)) "
          + "is no address of an identity service",
        why: "plain http is only allowed on this machine and for link-local addresses",
        next: "unset \(variable), or choose another credential with --identity")
    }
    return endpoint
  }
}

extension Endpoint {
  /// 169.254/16: on the link, where Azure puts its identity services.
  var isLinkLocal: Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "169" && parts[1] == "254"
      && parts.allSatisfy { UInt8($0) != nil && !$0.hasPrefix("+") }
  }
}
