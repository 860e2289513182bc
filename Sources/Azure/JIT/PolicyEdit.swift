/// Changes to a policy's tree, pure: what they are not about keeps its value and its place.
///
/// Each gives the body of the PUT. A PUT replaces the whole list of machines, so every entry that
/// was read goes back, known to the program or not.
package enum PolicyEdit {
  /// Takes a machine out; nil where it was the last, so that the policy itself is to be deleted.
  package static func remove(_ machine: ResourceID, from tree: JSONTree) -> JSONTree? {
    let body = changingMachines(of: tree) { machines in
      machines.removeAll { ResourceID($0["id"]?.text) == machine }
    }
    return machines(of: body).isEmpty ? nil : body
  }

  /// Puts entries back whose machine is not in the tree.
  static func restore(_ entries: [JSONTree], in tree: JSONTree) -> JSONTree {
    changingMachines(of: tree) { machines in
      for entry in entries {
        let id = ResourceID(entry["id"]?.text)
        if !machines.contains(where: { ResourceID($0["id"]?.text) == id }) {
          machines.append(entry)
        }
      }
    }
  }

  /// The entries of a policy, as trees.
  static func machines(of tree: JSONTree) -> [JSONTree] {
    tree["properties", "virtualMachines"]?.elements ?? []
  }

  /// The first entry with ports that name no protocol, which the contract requires: Azure was seen
  /// to answer a PUT that holds one with an error of its own.
  static func entryWithoutProtocol(in tree: JSONTree) -> (machine: ResourceID, ports: [Int])? {
    for entry in machines(of: tree) {
      let ports = (entry["ports"]?.elements ?? [])
        .filter { ($0["protocol"]?.text ?? "").isEmpty }.compactMap { $0["number"]?.integer }
      if let id = ResourceID(entry["id"]?.text), !ports.isEmpty { return (id, ports) }
    }
    return nil
  }

  /// The body of a PUT with the machines changed.
  static func changingMachines(
    of tree: JSONTree?, _ change: (inout [JSONTree]) -> Void
  ) -> JSONTree {
    var body = tree ?? .object([])
    // Azure's own: told by the URL, or written by the service alone. Sent back, old requests might
    // come to life again.
    for name in ["id", "name", "type", "location", "etag", "systemData"] { body.remove(name) }
    if body["kind"] == nil { body.set("kind", to: "Basic") }
    body.update("properties") { properties in
      properties.remove("requests")
      properties.remove("provisioningState")
      var machines = properties["virtualMachines"]?.elements ?? []
      change(&machines)
      properties.set("virtualMachines", to: .array(machines))
    }
    return body
  }
}

extension PortRule {
  /// Writes the rule over a port of a policy; members not known stay.
  func write(to tree: inout JSONTree) {
    if tree["number"]?.integer != number { tree.set("number", to: .number(String(number))) }
    tree.set("protocol", to: .string(`protocol`.rawValue))
    if Set(SourcePrefix.list(tree)) != Set(allowedSources) || SourcePrefix.list(tree).isEmpty {
      SourcePrefix.write(allowedSources, to: &tree)
    }
    let written = tree["maxRequestAccessDuration"]?.text.flatMap { Duration(iso8601: $0) }
    if let maximumDuration, written != maximumDuration {
      tree.set("maxRequestAccessDuration", to: .string(maximumDuration.iso8601))
    }
  }
}
