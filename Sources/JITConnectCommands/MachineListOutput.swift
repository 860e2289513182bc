import Azure
import FoundationEssentials
import JITConnect
import Platform
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes the list in one of its forms; all but the tables go out page by page.
struct MachineListOutput {
  enum Form { case tables, lines, json }

  let form: Form
  let now: Date
  let own: OwnWindows
  /// Names of subscriptions by their ids, once they are known.
  var names: [String: String]?
  private var kept: [SurveyedMachine] = []
  private var hasItems = false

  init(form: Form, now: Date, own: OwnWindows) {
    self.form = form
    self.now = now
    self.own = own
  }

  func begin() throws {
    if form == .json { try write("{\"machines\":[") }
  }

  mutating func add(_ page: [SurveyedMachine]) throws {
    switch form {
    case .tables: kept += page
    case .lines:
      var table = Table(header: [])
      table.rows = page.map { MachineListRow($0, self).cells }
      try write(table.tabSeparated())
    case .json:
      for item in page {
        let text = JSONOutput.text(MachineListReport(item, self), pretty: false)
        try write((hasItems ? ",\n" : "\n") + text)
        hasItems = true
      }
    }
  }

  func end(_ ending: MachineSurvey.Ending, _ console: Console) throws {
    switch form {
    case .lines: break
    case .json:
      let end = MachineListEnding(ending)
      let text = JSONOutput.text(end, pretty: false)
      // The members that follow the machines.
      try write("\n]," + text.dropFirst() + "\n")
    case .tables:
      try write(tables(console))
      if kept.isEmpty { console.note("no virtual machine in sight fits") }
    }
  }

  private func tables(_ console: Console) -> String {
    let sections: [(SurveyedMachine.State, String)] = [
      (.configured, "Configured"), (.notConfigured, "Not configured"),
      (.unsupported, "Unsupported"), (.unknown, "Cannot be told"),
    ]
    let showsSubscription = Set(kept.map { $0.machine.subscriptionID.lowercased() }).count > 1
    return sections.compactMap { state, title in
      let items = kept.filter { $0.state == state }
      guard !items.isEmpty else { return nil }
      var table = Table(header: MachineListRow.header(state, showsSubscription))
      table.rows = items.map {
        MachineListRow($0, self).cells(for: state, showsSubscription)
      }
      return "\(title) (\(items.count))\n"
        + table.aligned(width: console.width, colours: console.outputHasColours)
    }.joined(separator: "\n")
  }

  private func write(_ text: String) throws { try writeAll(STDOUT_FILENO, text.utf8) }

  func subscriptionName(_ machine: VirtualMachine) -> String {
    names?[machine.subscriptionID.lowercased()] ?? machine.subscriptionID
  }
}

/// A machine as people and pipes see it.
struct MachineListRow {
  private let item: SurveyedMachine
  private let output: MachineListOutput

  init(_ item: SurveyedMachine, _ output: MachineListOutput) {
    self.item = item
    self.output = output
  }

  static func header(_ state: SurveyedMachine.State, _ showsSubscription: Bool) -> [String] {
    let start = ["VM"] + (showsSubscription ? ["SUBSCRIPTION"] : [])
    switch state {
    case .configured: return start + ["PORTS", "OPEN NOW", "LAST REQUEST", "RULES ON", "REMARKS"]
    case .notConfigured: return start + ["WOULD BE ENABLED", "YOU MAY", "REMARKS"]
    case .unsupported, .unknown: return start + ["WHY"]
    }
  }

  func cells(for state: SurveyedMachine.State, _ showsSubscription: Bool) -> [String] {
    let start = [name] + (showsSubscription ? [output.subscriptionName(item.machine)] : [])
    switch state {
    case .configured: return start + [ports, windows, lastRequest, place, remarks]
    case .notConfigured: return start + [ports, allowance, remarks]
    case .unsupported, .unknown: return start + [remarks]
    }
  }

  /// For a pipe: the same columns for every state.
  var cells: [String] {
    [
      item.state.rawValue, name, item.machine.subscriptionID,
      item.machine.operatingSystem?.rawValue ?? "", item.machine.powerState?.rawValue ?? "", ports,
      windows, lastRequest, place,
      item.state == .notConfigured
        ? (["may enable: \(allowance)"] + item.why).joined(separator: "; ") : remarks,
      item.machine.id.text,
    ]
  }

  private var name: String { "\(item.machine.resourceGroup)/\(item.machine.name)" }

  private var ports: String {
    (item.entry?.ports ?? item.wouldEnable).map { rule in
      let sources =
        rule.allowsAnySource ? "any" : rule.allowedSources.map(\.text).joined(separator: ",")
      let name = rule.protocol == .any ? "\(rule.number)" : "\(rule.number)/\(rule.protocol)"
      let limit = rule.maximumDuration.map { " max \(durationWord($0))" } ?? ""
      return "\(name) from \(sources)\(limit)"
    }.joined(separator: "; ")
  }

  private var windows: String {
    item.windows.map { window in
      let sources = window.port.sources.map(\.text).joined(separator: ",")
      var text = "\(window.port.number) for \(sources)"
      if let end = window.port.end {
        text += " until \(localTimeText(end, now: output.now)) (\(left(end)) left)"
      }
      return text + (who(window).map { ", \($0)" } ?? "")
    }.joined(separator: "; ")
  }

  private func left(_ end: Date) -> String {
    let seconds = Int(max(0, min(end.timeIntervalSince(output.now), 1e8)))
    // Whole minutes, as on a clock; under one the seconds.
    return durationWord(.seconds(seconds < 60 ? seconds : seconds / 60 * 60))
  }

  private func who(_ window: JITPolicy.Window) -> String? {
    output.own.holds(window) ? "you" : window.requestor
  }

  private var lastRequest: String {
    guard let last = item.lastRequest else { return "" }
    let time = last.start.map { localTimeText($0, now: output.now) }
    return [time, who(last)].compactMap(\.self).joined(separator: " ")
  }

  private var place: String {
    guard let entry = item.entry else { return "" }
    return entry.publicIPAddress.map { "firewall \($0)" } ?? "NSG"
  }

  private var allowance: String {
    switch item.mayEnable {
    case .yes: "yes"
    case .no: "no: \(item.missing.map(\.rawValue).joined(separator: ", ")) is missing"
    case .unknown: "perhaps"
    }
  }

  private var remarks: String { item.why.joined(separator: "; ") }
}

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
