package import Platform

/// Whom az is signed in as, and the subscriptions it knows, in one cloud.
package struct AzureCLIProfile: Sendable, Equatable {
  package struct User: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
      case person
      case servicePrincipal
      case managedIdentity
      /// A person whose tokens come from Cloud Shell's own endpoint.
      case cloudShell
    }

    package var kind: Kind
    /// A UPN, a client id, or az's name for a managed identity.
    package var name: String
    /// `MSI`, `MSIClient-…`, … of a managed identity.
    package var assignedIdentity: String?
  }

  package struct Subscription: Sendable, Equatable {
    /// A tenant-level account has the tenant's id here.
    package var id: String
    package var name: String
    /// The tenant to ask for tokens.
    package var tenantID: String
    package var homeTenantID: String?
    package var state: String?
    package var isDefault: Bool
    package var user: User

    /// Whether this is a login without any subscription.
    package var isTenantLevel: Bool { id.lowercased() == tenantID.lowercased() }
  }

  /// In az's order; tenant-level accounts too.
  package var subscriptions: [Subscription]
  /// The one az would use.
  package var defaultSubscription: Subscription?
  /// `az configure --defaults group=…`.
  package var defaultGroup: String?
  /// `az configure --defaults location=…`.
  package var defaultLocation: String?

  /// Every tenant signed in to, the default's first, without repetition.
  package var tenants: [String] {
    var tenants: [String] = []
    for subscription in [defaultSubscription].compactMap(\.self) + subscriptions
    where !tenants.contains(subscription.tenantID) {
      tenants.append(subscription.tenantID)
    }
    return tenants
  }

  /// The subscription with that id or name, without regard to case; an id goes first.
  package func subscription(_ text: String) -> Subscription? {
    let text = text.lowercased()
    return subscriptions.first { $0.id.lowercased() == text }
      ?? subscriptions.first { $0.name.lowercased() == text }
  }

  /// What az knows of a cloud.
  ///
  /// - Returns: nil where az is not signed in there.
  package static func read(
    in environment: Environment, cloud: String,
    sleep: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }
  ) async -> AzureCLIProfile? {
    await read(in: AzureCLIFolder(environment), cloud: cloud, sleep: sleep)
  }

  static func read(
    in folder: AzureCLIFolder, cloud: String, sleep: @Sendable (Duration) async -> Void
  ) async -> AzureCLIProfile? {
    guard let file = await folder.readJSON("azureProfile.json", as: ProfileFile.self, sleep: sleep)
    else { return nil }
    let subscriptions = (file.subscriptions ?? []).compactMap(\.value).filter {
      ($0.environmentName ?? "AzureCloud").lowercased() == cloud.lowercased()
    }.compactMap(\.subscription)
    guard !subscriptions.isEmpty else { return nil }
    let remembered = folder.clouds[cloud, "subscription"]?.lowercased()
    return AzureCLIProfile(
      subscriptions: subscriptions,
      // `isDefault` marks one subscription across all clouds; the others keep theirs beside.
      defaultSubscription: subscriptions.first { $0.isDefault }
        ?? subscriptions.first { $0.id.lowercased() == remembered }
        ?? (subscriptions.count == 1 ? subscriptions.first : nil),
      defaultGroup: folder.defaultGroup, defaultLocation: folder.defaultLocation)
  }
}

/// `azureProfile.json`, as far as it is read.
private struct ProfileFile: Decodable {
  var subscriptions: [Lossy<Entry>]?

  struct Entry: Decodable {
    var id: String
    var name: String?
    var state: String?
    var user: User?
    var isDefault: Bool?
    var tenantId: String
    var homeTenantId: String?
    var environmentName: String?

    struct User: Decodable {
      var name: String
      var type: String?
      var assignedIdentityInfo: String?
      var cloudShellID: Bool?
    }

    var subscription: AzureCLIProfile.Subscription? {
      guard let user, TenantName.isValid(tenantId), TenantName.isValid(id) else { return nil }
      let kind: AzureCLIProfile.User.Kind =
        if user.cloudShellID == true {
          .cloudShell
        } else if ["systemassignedidentity", "userassignedidentity"].contains(
          user.name.lowercased())
        {
          // These look like service principals but have no secret; the name goes first, as in az.
          .managedIdentity
        } else if user.type?.lowercased() == "serviceprincipal" {
          .servicePrincipal
        } else {
          .person
        }
      return AzureCLIProfile.Subscription(
        id: id, name: name ?? id, tenantID: tenantId, homeTenantID: homeTenantId, state: state,
        isDefault: isDefault ?? false,
        user: AzureCLIProfile.User(
          kind: kind, name: user.name, assignedIdentity: user.assignedIdentityInfo))
    }
  }
}
