import Azure
import FoundationEssentials
import JITConnect
import Platform
import Terminal

/// What `status` tells, as its JSON has it.
struct StatusReport: Encodable {
  struct Port: Encodable {
    var port: Int
    var `protocol`: String
    var allowedSources: [String]
    var maximumSeconds: Int?
  }

  struct Window: Encodable {
    var port: Int
    var sources: [String]
    var requestor: String?
    /// Whether the request itself names nobody, and the activity log's entry of that time does.
    var requestorIsInferred: Bool
    /// Whether this user opened it with this program.
    var isOwn: Bool
    var reason: String?
    var start: Date?
    var end: Date?
    var status: String
    /// The port to connect to on the firewall.
    var mappedPort: Int?
  }

  /// A rule for one of the policy's ports, in the order in which it counts.
  struct Rule: Encodable {
    var securityGroup: String
    var priority: Int
    var name: String
    /// `allow` or `deny`.
    var access: String
    var ports: [String]
    var sources: [String]
    /// `window` or `deny` for just-in-time access's own.
    var jit: String?
  }

  var id: String
  var name: String
  var resourceGroup: String
  var location: String
  var power: String?
  var os: String?
  var publicAddress: String?
  var privateAddress: String?
  /// An Azure Firewall's, where one stands before it.
  var firewallAddress: String?
  var isEnabled: Bool
  var policy: String?
  var ports: [Port]
  var windows: [Window]
  var rules: [Rule]
  /// What could not be read, each with its reason.
  var unread: [String]

  init(
    _ view: MachineView, paths: [InboundPath], authors: WindowAuthors, own: OwnWindows, now: Date
  ) {
    let machine = view.machine
    id = machine.id.text
    name = machine.name
    resourceGroup = machine.resourceGroup
    location = machine.location
    power = machine.powerState?.rawValue
    os = machine.operatingSystem?.rawValue
    publicAddress = machine.addresses.lazy.compactMap(\.publicIPv4).first
    privateAddress = machine.addresses.lazy.compactMap(\.privateIPv4).first
    firewallAddress = view.entry?.publicIPAddress
    isEnabled = view.entry != nil
    policy = view.policy?.id.text
    let entryPorts = view.entry?.ports ?? []
    ports = entryPorts.map { rule in
      Port(
        port: rule.number, protocol: rule.protocol.description,
        allowedSources: rule.allowedSources.map(\.text),
        maximumSeconds: rule.maximumDuration.map { Int($0.components.seconds) })
    }
    let live = (view.policy?.windows(of: machine.id) ?? []).filter { $0.isLive(at: now) }
    windows = live.map { window in
      let author = authors.author(of: window)
      return Window(
        port: window.port.number, sources: window.port.sources.map(\.text),
        requestor: author?.name, requestorIsInferred: author?.isInferred ?? false,
        isOwn: own.holds(window), reason: window.justification,
        start: window.start, end: window.port.end, status: window.port.status.rawValue,
        mappedPort: window.port.mappedPort)
    }
    rules = Self.rules(paths, ports: entryPorts.map(\.number))
    var seen: Set<String> = []
    unread = (machine.unread + paths.flatMap(\.unread) + authors.unread).filter {
      seen.insert($0).inserted
    }
  }

  private static func rules(_ paths: [InboundPath], ports: [Int]) -> [Rule] {
    var rules: [Rule] = []
    var seen: Set<String> = []
    for path in paths {
      for group in path.groups {
        let matching = ports.flatMap {
          group.rules(port: $0, protocol: .any, destination: path.destination)
        }
        for rule in matching.sorted(by: { $0.priority < $1.priority })
        where !rule.isDefault && seen.insert("\(group.id.key)/\(rule.name)").inserted {
          rules.append(
            Rule(
              securityGroup: group.name, priority: rule.priority, name: rule.name,
              access: rule.access == .allow ? "allow" : "deny",
              ports: rule.ports.map(\.description),
              sources: rule.sources + rule.sourceGroups.map(\.name),
              jit: rule.jit.map { $0.kind == .deny ? "deny" : "window" }))
        }
      }
    }
    return rules
  }

  // MARK: For people

  func text(for console: Console, now: Date) -> String {
    let isTerminal = console.outputIsTerminal
    let sections = [
      (
        "vm",
        Table(header: ["VM", "GROUP", "OS", "POWER", "ADDRESS", "POLICY"], rows: [machineRow])
      ),
      (
        "port",
        Table(
          header: ["PORT", "PROTOCOL", "FROM", "AT MOST"],
          rows: ports.map { port in
            [
              "\(port.port)", port.protocol,
              port.allowedSources.isEmpty ? "unknown" : port.allowedSources.joined(separator: ","),
              port.maximumSeconds.map { durationWord(.seconds($0)) } ?? "",
            ]
          })
      ),
      ("window", windowTable(console, now: now)),
      (
        "rule",
        Table(
          header: ["PRIORITY", "ACCESS", "PORTS", "FROM", "SECURITY GROUP", "RULE"],
          rows: rules.map { rule in
            [
              "\(rule.priority)", rule.access, rule.ports.joined(separator: ","),
              rule.sources.joined(separator: ","), rule.securityGroup, rule.name,
            ]
          })
      ),
      ("unread", Table(header: ["COULD NOT BE READ"], rows: unread.map { [$0] })),
    ]
    return sections.filter { !$0.1.rows.isEmpty }.map { word, table in
      if isTerminal { return table.text(for: console) }
      var table = table
      table.rows = table.rows.map { [word] + $0 }
      return table.text(for: console)
    }.joined(separator: isTerminal ? "\n" : "")
  }

  private var machineRow: [String] {
    [
      name, resourceGroup, os ?? "", power ?? "unknown",
      firewallAddress ?? publicAddress ?? privateAddress ?? "",
      isEnabled ? policy?.split(separator: "/").last.map(String.init) ?? "" : "not enabled",
    ]
  }

  private func windowTable(_ console: Console, now: Date) -> Table {
    Table(
      header: ["OPEN", "FROM", "WHO", "UNTIL", "STATUS", "WHY"],
      rows: windows.map { window in
        [
          "\(window.port)", window.sources.joined(separator: ","),
          whoCell(
            window.requestor, isInferred: window.requestorIsInferred, isOwn: window.isOwn),
          timeCell(window.end, console, now: now), statusCell(window.status, console),
          window.reason ?? "",
        ]
      })
  }
}
