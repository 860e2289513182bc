/// What the program takes for granted about Azure without proof: each entry is stated here once,
/// with the place where it was read, so that a live tenant can prove or refute it.
///
/// None of this is in a specification; the sources are listed in the contract's section
/// "Not verified" (10) and where noted.
enum Assumptions {
  /// How Azure says that the subscription lacks the plan.
  ///
  /// The status and code are not known, so the text decides (error catalogue, a user's repository).
  static let notOnboarded = "is not onboarded to Defender For Servers"

  /// How Azure says that a request is wider than the policy (error catalogue, two user reports).
  static let notASubset = "is not a subset of policy"

  /// How Azure refuses an IPv6 source (error catalogue, a lab).
  static let ipv6Source = "source IP address in IPv6 format"

  /// The code of an initiate whose policy does not exist; its text was never captured.
  static let policyNotFound = "PolicyNotFound"

  /// Whether the code of a 404 says that the policy is not there.
  ///
  /// `ResourceNotFound` and `PolicyNotFound` were seen; the code that a GET of an absent policy has
  /// is not documented, so every word of that form counts but those about something larger.
  ///
  /// - Parameter code: in lower case; empty where no error of Azure's came.
  static func meansAbsent(_ code: String) -> Bool {
    code.hasSuffix("notfound")
      && !["subscriptionnotfound", "tenantnotfound"].contains(code)
  }

  /// A refusal of an initiate whose text names this word is taken to be about the time asked for:
  /// the shortest time that Azure grants is not documented (the policy's own minimum is 5 minutes).
  static let durationWord = "duration"

  /// In the refusal of a body with neither or both of `duration` and `endTimeUtc`, which is about
  /// its form.
  static let otherDurationWord = "EndTimeUtc"

  /// States of a policy that is still being written.
  ///
  /// Only `Updating` was ever seen; any other state ends the wait.
  static let unsettledStates: Set<String> = ["updating", "creating", "inprogress", "accepted"]

  /// How long a policy may take to settle after a PUT.
  ///
  /// No source gives a time; an initiate one second after the PUT was accepted, so running out of
  /// this is not a failure.
  static let policySettling = Duration.seconds(30)

  /// Longest policy name and VM name together (the product's page on just-in-time access).
  static let policyAndMachineNameLimit = 56

  /// The name the portal gives to a policy that it creates.
  static let defaultPolicyName = "default"

  /// Statuses of a request that may still open, or has opened, the port.
  ///
  /// `Initiating` is not in the specification's list but in its example and in recordings. Every
  /// other one is a refusal.
  static let liveStatuses: Set<String> = ["initiating", "initiated"]

  /// How the activity log names a request for access, in lower case.
  ///
  /// Seen in Log Analytics; that `properties.eventProperties` is a JSON text with `User` and
  /// `Justification` in the REST answer too is not proven, so each is optional.
  static let initiateOperation =
    "microsoft.security/locations/jitnetworkaccesspolicies/initiate/action"

  /// Codes of a lock on a network or policy resource that goes away by itself.
  static let transientConflicts: Set<String> = [
    "anotheroperationinprogress", "retryableerrorduetoanotheroperation",
  ]

  /// Extensions that tell that a VM takes Entra ID logins.
  static let entraExtensions: Set<String> = ["aadsshloginforlinux", "aadloginforwindows"]

  /// Which of Azure's own roles has an action: general knowledge, since roles change without notice.
  ///
  /// Patterns are in lower case; the first that matches counts.
  static let rolesOfActions: [(pattern: String, role: String)] = [
    ("microsoft.security/pricings/read", "Security Reader"),
    ("microsoft.security/*/read", "Security Reader"),
    ("microsoft.security/*", "Security Admin"),
    ("microsoft.compute/virtualmachines/read", "Reader"),
    ("microsoft.compute/virtualmachines/*", "Virtual Machine Contributor"),
    ("microsoft.network/*/read", "Reader"),
    ("microsoft.network/*", "Network Contributor"),
    ("microsoft.insights/*/read", "Monitoring Reader"),
    ("*/read", "Reader"),
  ]

  /// How long the deny rule of a new policy may take to appear in the security groups.
  ///
  /// No source gives a time; running out of it is told, and is no failure.
  static let denyRuleAppearing = Duration.seconds(60)

  /// How long the rule of a window may take to appear after its request, from 5 seconds on
  /// (contract section 9, from reports).
  static let windowRuleAppearing = Duration.seconds(60)

  /// Priorities that windows of just-in-time access take: 100 to 110 were seen, perhaps up to 140.
  static let windowPriorities = 100...140
}
