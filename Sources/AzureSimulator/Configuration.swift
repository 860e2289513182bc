/// What the simulated Azure holds when it starts.
///
/// The default is one tenant with one subscription, one application that may do everything, and no
/// machine.
package struct SimulatorConfiguration: Sendable {
  /// The cloud's name in its metadata.
  package var cloudName = "AzureSimulator"
  /// The tenants; the first is that of the environment.
  package var tenants = [SimulatedTenant()]
  package var subscriptions = [SimulatedSubscription()]
  /// Who can sign in; the first application is that of the environment.
  package var identities = [SimulatedIdentity()]
  package var machines: [SimulatedMachine] = []
  /// What Resource Graph tells of beside the machines.
  package var lookalikes: [SimulatedLookalike] = []
  package var policies: [SimulatedPolicy] = []
  package var addressServices = [
    SimulatedAddressService(name: "a"), SimulatedAddressService(name: "b"),
    SimulatedAddressService(name: "c"),
  ]
  package var behaviour = Behaviour()
  /// Applications that may sign people in without a secret; az's by default.
  package var publicClients: Set<String> = ["04b07795-8ddb-461a-bbee-02f9e1bf7b46"]
  /// Makes an SSH certificate, in base64, for a key that was described as it must be; nil refuses.
  package var sshCertificate: (@Sendable (SSHCertificateWish) -> String?)?

  package init(machines: [SimulatedMachine] = [], policies: [SimulatedPolicy] = []) {
    self.machines = machines
    self.policies = policies
  }
}

/// A resource that a user may take for a virtual machine.
package struct SimulatedLookalike: Sendable {
  /// `Microsoft.HybridCompute/machines` and the like.
  package var type: String
  package var name: String
  package var resourceGroup: String
  package var subscription: String

  package init(
    _ name: String, type: String, resourceGroup: String = "rg-demo",
    subscription: String = SimulatedSubscription().id
  ) {
    self.name = name
    self.type = type
    self.resourceGroup = resourceGroup
    self.subscription = subscription
  }

  var id: String {
    "/subscriptions/\(subscription)/resourceGroups/\(resourceGroup)/providers/\(type)/\(name)"
  }
}

package struct SimulatedTenant: Sendable {
  package var id: String
  package var displayName: String
  package var domain: String

  package init(_ name: String = "contoso") {
    id = Identifiers.guid("tenant " + name)
    displayName = name
    domain = name + ".example"
  }
}

package struct SimulatedSubscription: Sendable {
  package enum Plan: Sendable, Equatable {
    case p2, p1, free
    /// Standard without a `subPlan`: the full plan.
    case full
  }

  package var id: String
  package var displayName: String
  package var tenant: String
  package var state = "Enabled"
  package var plan = Plan.p2
  /// Whether Microsoft.Security is registered.
  package var securityRegistered = true
  /// The Defender home region.
  package var homeRegion = "westeurope"

  package init(_ name: String = "main", tenant: String = SimulatedTenant().id) {
    id = Identifiers.guid("subscription " + name)
    displayName = name
    self.tenant = tenant
  }
}

/// Someone who can sign in: an application with a secret, or a person with a refresh token.
package struct SimulatedIdentity: Sendable {
  package struct Grant: Sendable {
    /// `/`, or the id of a subscription, a group or a resource.
    package var scope: String
    package var actions: [String]
    package var notActions: [String]

    package init(scope: String = "/", actions: [String] = ["*"], notActions: [String] = []) {
      self.scope = scope
      self.actions = actions
      self.notActions = notActions
    }
  }

  /// One federated credential.
  package struct Federation: Sendable {
    package var issuer: String
    package var subject: String
    package var audience: String

    package init(
      issuer: String, subject: String, audience: String = "api://AzureADTokenExchange"
    ) {
      self.issuer = issuer
      self.subject = subject
      self.audience = audience
    }

    /// What the simulated GitHub Actions say.
    package static let gitHub = Federation(
      issuer: World.gitHubIssuer, subject: World.gitHubSubject)
    /// What the simulated Azure Pipelines say.
    package static let pipelines = Federation(
      issuer: World.pipelinesIssuer, subject: "sc://contoso/infra/azure")
  }

  /// The application's client id, or a person's UPN.
  package var name: String
  package var objectID: String
  /// The tenants it can sign in to.
  package var tenants: [String]
  package var secret: String?
  package var secretExpired = false
  /// Certificates registered with the application, as PEM.
  package var certificates: [String] = []
  /// A certificate of this subject is taken without being registered, if it was issued by that one
  /// (PEM) and comes with the assertion.
  package var trustedSubject: (subject: String, issuer: String)?
  /// Whose tokens the application takes for its own.
  package var federated: [Federation] = []
  /// A machine's own identity.
  package var isManaged = false
  /// A person's refresh token and the client id it belongs to.
  package var refreshToken: String?
  package var refreshClientID: String
  package var grants: [Grant]

  /// An application; its secret needs form encoding on purpose.
  package init(
    application name: String = "jitconnect", tenants: [String] = [SimulatedTenant().id],
    secret: String? = "sim~Secret+&=%20ü", grants: [Grant] = [Grant()]
  ) {
    self.name = Identifiers.guid("application " + name)
    objectID = Identifiers.guid("object " + name)
    self.tenants = tenants
    self.secret = secret
    refreshClientID = ""
    self.grants = grants
  }

  /// A person, signed in by az (whose client id is the default).
  package init(
    person name: String, tenants: [String] = [SimulatedTenant().id], refreshToken: String,
    clientID: String = "04b07795-8ddb-461a-bbee-02f9e1bf7b46", grants: [Grant] = [Grant()]
  ) {
    self.name = name
    objectID = Identifiers.guid("object " + name)
    self.tenants = tenants
    self.refreshToken = refreshToken
    refreshClientID = clientID
    self.grants = grants
  }

  var isPerson: Bool { refreshToken != nil }
}

/// A public-address service under `/ip/{name}`.
package struct SimulatedAddressService: Sendable {
  package enum Answer: Sendable {
    /// ``Behaviour/clientAddress``.
    case clientAddress
    /// This text, as it is.
    case text(String)
    /// Cloudflare's form, an `ip=` line among others.
    case trace(String?)
    case status(Int)
    case reset
  }

  package var name: String
  package var answer: Answer
  package var delay: Duration

  package init(name: String, answer: Answer = .clientAddress, delay: Duration = .zero) {
    self.name = name
    self.answer = answer
    self.delay = delay
  }
}
