import Azure
import FoundationEssentials
import JITConnect

/// A machine in JSON.
struct MachineListReport: Encodable {
  struct Window: Encodable {
    var port: Int
    var sources: [String]
    var requestor: String?
    var reason: String?
    var start: Date?
    var end: Date?
    var status: String
    var secondsLeft: Int
    /// Whether this user opened it from here.
    var isOwn: Bool
  }

  var id: String
  var name: String
  var resourceGroup: String
  var subscription: String
  var subscriptionName: String
  var location: String
  var os: String?
  var power: String?
  var tags: [String: String]
  var state: String
  var policy: String?
  /// Of the policy; for a machine that is not configured, what would be enabled.
  var ports: [PortReport]
  var windows: [Window]
  var lastRequest: Window?
  /// `nsg` or `firewall`; only for configured machines.
  var rulesOn: String?
  var firewallAddress: String?
  /// `yes`, `no` or `unknown`; only for machines that are not configured.
  var mayEnable: String?
  var missingActions: [String]?
  var why: [String]

  init(_ item: SurveyedMachine, _ output: MachineListOutput) {
    let machine = item.machine
    id = machine.id.text
    name = machine.name
    resourceGroup = machine.resourceGroup
    subscription = machine.subscriptionID
    subscriptionName = output.subscriptionName(machine)
    location = machine.location
    os = machine.operatingSystem?.rawValue
    power = machine.powerState?.rawValue
    tags = machine.tags
    state = item.state.rawValue
    policy = item.policy?.id.text
    ports = (item.entry?.ports ?? item.wouldEnable).map(PortReport.init)
    windows = item.windows.map { Self.window($0, output) }
    lastRequest = item.lastRequest.map { Self.window($0, output) }
    if let entry = item.entry {
      firewallAddress = entry.publicIPAddress
      rulesOn = entry.publicIPAddress == nil ? "nsg" : "firewall"
    }
    if item.state == .notConfigured {
      mayEnable = item.mayEnable.rawValue
      missingActions = item.missing.map(\.rawValue)
    }
    why = item.why
  }

  private static func window(_ window: JITPolicy.Window, _ output: MachineListOutput) -> Window {
    let left = window.port.end.map { $0.timeIntervalSince(output.now) } ?? 0
    return Window(
      port: window.port.number, sources: window.port.sources.map(\.text),
      requestor: window.requestor, reason: window.justification, start: window.start,
      end: window.port.end, status: window.port.status.rawValue,
      secondsLeft: window.isLive(at: output.now) ? Int(min(max(left, 0), 1e8)) : 0,
      isOwn: output.own.holds(window))
  }
}

/// What follows the machines in JSON.
struct MachineListEnding: Encodable {
  struct Stranger: Encodable {
    var policy: String
    var machines: [String]
  }

  /// Machines in policies that are not in sight: deleted, or not for this caller's eyes.
  var notInSight: [Stranger]
  /// What could not be read, each with its reason.
  var unread: [String]

  init(_ ending: MachineSurvey.Ending) {
    notInSight = ending.strangers.sorted { $0.key.text < $1.key.text }
      .map { Stranger(policy: $0.key.text, machines: $0.value.map(\.text)) }
    unread = ending.unread
  }
}
