/// How the simulated Azure behaves; each switch can be changed while it runs
/// (``Simulator/change(_:)``).
package struct Behaviour: Sendable {
  // Time
  /// Added to every call.
  package var delay = Duration.zero
  /// Added to the calls of one kind.
  package var delays: [CallReport.Kind: Duration] = [:]
  /// From a policy's PUT (`Updating`) to `Succeeded`.
  package var policyDelay = Duration.seconds(1)
  /// From a policy's PUT to its deny rules.
  package var denyRuleDelay = Duration.zero
  /// From the 202 to `Initiated`.
  package var initiatedDelay = Duration.seconds(1)
  /// From the 202 to the allow rule, and so to the opening of the gate.
  package var openingDelay = Duration.seconds(2)
  /// From the end of a window to the removal of its rule.
  package var closingDelay = Duration.zero
  /// From a start or stop to its end.
  package var powerDelay = Duration.seconds(1)

  // Addresses
  /// The public address of programs on this machine: what the address services answer, and what
  /// a connection from 127.0.0.1 counts as behind a gate and at Resource Manager.
  package var clientAddress = "203.0.113.7"
  /// Where the network sees something else than the address services; nil is `clientAddress`.
  package var addressBehindGate: String?
  /// What a connection from another loopback address counts as; unnamed ones count as themselves.
  package var addresses: [String: String] = [:]

  // Metadata and sign-in
  package var metadataStartsWithBOM = false
  package var tokenLifetime = Duration.seconds(3599)
  package var expiresInIsText = false
  /// How every token request is refused: `error` and the number behind `AADSTS`.
  package var signInRefusal: (error: String, code: Int)?
  /// How the browser's sign-in is refused.
  package var authorizeRefusal: (error: String, code: Int)?
  /// A refresh token is refused until its claims hold this text.
  package var refreshDemands: (error: String, code: Int, claims: String)?
  /// Who sits at the browser, where no hint says it; the first person by default.
  package var personAtBrowser: String?
  /// How long codes live, of the browser and of devices.
  package var codeLifetime = Duration.seconds(600)
  /// What the first looks at a device code are answered: errors such as `authorization_pending`.
  package var deviceCodeAnswers: [String] = []
  /// The file that Azure Arc's challenge names.
  package var arcKeyFile = "/var/opt/azcmagent/tokens/simulated.key"

  // JIT
  /// The shortest duration the service takes.
  package var minimumDuration = Duration.seconds(300)
  /// A single address inside a policy's block is a subset of it.
  package var loneAddressInBlockIsAllowed = true
  /// A rule of a policy without any source lets everybody ask, instead of nobody.
  package var missingSourcesMeanAny = false
  /// A new request ends the older ones of the same port.
  package var newerRequestEndsOlder = false
  /// Who else's: only those of the same source when false.
  package var newerRequestEndsOtherSources = true
  /// The 202 comes, and then nothing happens.
  package var initiateDoesNothing = false
  /// The status a request gets instead of `Initiated`, and its reason.
  package var requestsEndAs: (status: String, reason: String)?
  /// The answer names who asked.
  package var namesRequestor = false
  /// The activity log's details name the machines of a request.
  package var logNamesMachines = true
  /// A PUT that keeps an entry of a machine that is gone is refused.
  package var refusesDeletedMachines = false
  /// A lock keeps the allow rule after the window's end.
  package var keepsRules = false
  /// A lock on the network security groups: their rules cannot be deleted.
  package var locksSecurityGroups = false
  /// Rules of the older name prefix.
  package var usesOldRuleNames = false
  /// Where the deny rule of a policy goes.
  package var denyPriority = 4096
  /// Regions that Microsoft.Security serves; nil is all that are spelled right.
  package var securityRegions: Set<String>?

  // Network
  /// Where the default route of every interface leads.
  package var defaultNextHop: (type: String, address: String?) = ("Internet", nil)
  /// Firewalls are run by a firewall policy, which just-in-time access cannot work with.
  package var firewallsHavePolicies = false

  // Resource Graph
  package var graphIsDenied = false
  package var graphIsThrottled = false
  /// Empty values are left out rather than `""`.
  package var graphOmitsEmpty = false
  /// Empty values are null rather than `""`.
  package var graphEmptyIsNull = false

  // Resource Manager
  /// Items on one page of a list; nil is all.
  package var pageSize: Int?
  /// Long-running answers come with `Retry-After`.
  package var operationsSayRetryAfter = false
  /// Why a start fails, such as `AllocationFailed`; nil is success.
  package var startFailure: (code: String, message: String)?

  // Gates
  /// A shut gate accepts and closes at once, instead of refusing.
  package var shutGateAccepts = false
  /// Machines without any security group can be reached.
  package var openWithoutSecurityGroup = false

  package init() {}
}

/// Something that goes wrong on the way, for calls that match.
package struct Fault: Sendable {
  package enum Effect: Sendable {
    /// An error with Azure's envelope.
    case error(Int, code: String, message: String)
    /// Any answer.
    case answer(Int, body: String, type: String)
    /// A front door's page.
    case page(Int)
    /// The status with no body.
    case empty(Int)
    /// The connection is reset.
    case reset
    /// The body ends after so many bytes.
    case cut(after: Int)
    /// The answer is late.
    case slow(Duration)
    /// 401 with a claims challenge, in ARM's form or the generic one.
    case challenge(claims: String, generic: Bool)
  }

  package var effect: Effect
  package var kind: CallReport.Kind?
  package var method: String?
  /// Part of the path, any case.
  package var path: String
  /// How many matching calls pass unharmed first.
  package var after = 0
  /// How many calls it harms; nil is all.
  package var times: Int? = 1
  /// The call is carried out before its answer is spoiled.
  package var isCarriedOut = false
  package var headers: [(name: String, value: String)] = []

  package init(
    _ effect: Effect, kind: CallReport.Kind? = nil, method: String? = nil, path: String = ""
  ) {
    self.effect = effect
    self.kind = kind
    self.method = method
    self.path = path
  }
}
