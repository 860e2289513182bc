import Azure
import FoundationEssentials
import JITConnect
import Platform

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
      let from = sources.isEmpty ? "unknown" : sources
      let name = rule.protocol == .any ? "\(rule.number)" : "\(rule.number)/\(rule.protocol)"
      let limit = rule.maximumDuration.map { " max \(durationWord($0))" } ?? ""
      return "\(name) from \(from)\(limit)"
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
