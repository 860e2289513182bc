package import Azure
import Platform

/// What a change makes of a policy, in words, a line for each port.
package struct PolicyDiff: Sendable, Equatable {
  private var heading: String
  private var lines: [String] = []

  /// - Parameters:
  ///   - before: nil where there is no policy yet.
  ///   - after: nil where the policy goes.
  package init(_ policy: ResourceID, before: JSONTree?, after: JSONTree?) {
    let place =
      "\(policy.name) of \(policy.resourceGroup ?? "") in \(policy.segment(after: "locations") ?? "")"
    heading =
      before == nil
      ? "new policy \(place)" : after == nil ? "the policy \(place) goes" : "policy \(place)"
    let old = Self.entries(before)
    let new = Self.entries(after)
    for entry in new {
      let former = old.first { $0.id == entry.id }
      guard former?.tree != entry.tree else { continue }
      add(entry, from: former?.lines ?? [], to: entry.lines, isNew: former == nil)
    }
    for entry in old where !new.contains(where: { $0.id == entry.id }) {
      lines.append("- \(entry.name) is taken out")
      lines += entry.lines.map { "    - \($0)" }
    }
  }

  package var isEmpty: Bool { lines.isEmpty }

  package var text: String { ([heading] + lines.map { "  " + $0 }).joined(separator: "\n") }

  private struct Entry {
    var id: ResourceID
    var name: String
    var lines: [String]
    var tree: JSONTree
  }

  private static func entries(_ tree: JSONTree?) -> [Entry] {
    (tree?["properties", "virtualMachines"]?.elements ?? []).compactMap { item in
      guard let id = ResourceID(item["id"]?.text) else { return nil }
      let ports = (item["ports"]?.elements ?? []).map { port -> String in
        let known = [
          "number", "protocol", "allowedSourceAddressPrefix", "allowedSourceAddressPrefixes",
          "maxRequestAccessDuration",
        ]
        let text = PortRule(tree: port).map(ruleText) ?? "a port that cannot be read"
        return text + others(in: port, besides: known)
      }
      let rest = item.members.filter { !["id", "ports"].contains($0.name) }
        .map { "\($0.name): \($0.value.jsonText)" }
      return Entry(id: id, name: id.name, lines: ports + rest, tree: item)
    }
  }

  private static func others(in port: JSONTree, besides known: [String]) -> String {
    port.members.filter { !known.contains($0.name) }
      .map { ", \($0.name): \($0.value.jsonText)" }.joined()
  }

  private mutating func add(_ entry: Entry, from old: [String], to new: [String], isNew: Bool) {
    lines.append("\(isNew ? "+" : " ") \(entry.name)")
    let gone = old.filter { !new.contains($0) }
    let come = new.filter { !old.contains($0) }
    lines += gone.map { "    - \($0)" } + come.map { "    + \($0)" }
    if gone.isEmpty, come.isEmpty { lines.append("    the same in another spelling") }
  }
}
