package import FoundationEssentials

/// The just-in-time configuration of one or more machines in one location.
package struct JITPolicy: Sendable, Equatable, Identifiable {
  /// The entry of one machine.
  package struct Machine: Sendable, Equatable {
    package var id: ResourceID
    package var ports: [PortRule]
    /// The firewall's address to connect to, where one stands before the machine.
    package var publicIPAddress: String?

    package func rule(for port: Int) -> PortRule? { ports.first { $0.number == port } }
  }

  package var id: ResourceID
  package var location: String
  package var kind: String?
  package var machines: [Machine]
  package var requests: [JITRequest]
  /// `Succeeded`, `Updating`, or another word of Azure's.
  package var provisioningState: String?
  /// All of it as it came, for edits.
  package var tree: JSONTree

  /// Whether it says which machines it holds, each with its id, as it must (contract section 1):
  /// where it does not, its ``machines`` are unknown and not none.
  package var listsMachines: Bool {
    guard case .array(let entries)? = tree["properties", "virtualMachines"] else { return false }
    return entries.allSatisfy { $0["id"]?.text?.isEmpty == false }
  }

  package var name: String { id.name }
  package var resourceGroup: String { id.resourceGroup ?? "" }
  package var subscriptionID: String { id.subscription }

  /// Nil where the tree has no id of a policy.
  package init?(tree: JSONTree) {
    guard let id = ResourceID(tree["id"]?.text), id.isType(ResourceID.policyType) else {
      return nil
    }
    self.init(id: id, tree: tree)
  }

  /// - Parameter id: for a tree whose own id may be missing, as it was asked for.
  init(id: ResourceID, tree: JSONTree) {
    self.id = id
    self.tree = tree
    location = locationKey(tree["location"]?.text ?? id.segment(after: "locations") ?? "")
    kind = tree["kind"]?.text
    machines = (tree["properties", "virtualMachines"]?.elements ?? []).compactMap { item in
      guard let id = ResourceID(item["id"]?.text) else { return nil }
      return Machine(
        id: id, ports: (item["ports"]?.elements ?? []).compactMap { PortRule(tree: $0) },
        publicIPAddress: item["publicIpAddress"]?.text.flatMap(ipv4Text))
    }
    requests = (tree["properties", "requests"]?.elements ?? []).map { JITRequest(tree: $0) }
    provisioningState = tree["properties", "provisioningState"]?.text
  }

  package func machine(_ id: ResourceID) -> Machine? { machines.first { $0.id == id } }

  /// Whether Azure is still writing it.
  package var isSettling: Bool {
    Assumptions.unsettledStates.contains(provisioningState?.lowercased() ?? "")
  }

  /// A request's port, with what the request says of it.
  package struct Window: Sendable, Equatable {
    package var machine: ResourceID
    package var port: RequestedPort
    package var start: Date?
    package var requestor: String?
    package var justification: String?

    package func isLive(at now: Date) -> Bool { port.isLive(at: now) }
  }

  /// Every port of every request on a machine, the newest request first.
  package func windows(of id: ResourceID) -> [Window] {
    requests.enumerated()
      .sorted {
        ($0.element.start ?? .distantPast, $0.offset) > (
          $1.element.start ?? .distantPast, $1.offset
        )
      }
      .flatMap { _, request in
        request.machines.filter { $0.id == id }.flatMap { machine in
          machine.ports.map {
            Window(
              machine: id, port: $0, start: request.start, requestor: request.requestor,
              justification: request.justification)
          }
        }
      }
  }
}

/// On disk a policy is the text that Azure sent.
extension JITPolicy: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let tree = try? JSONTree(parsing: Array(text.utf8)), let policy = JITPolicy(tree: tree)
    else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not a just-in-time policy")
    }
    self = policy
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(tree.jsonText)
  }
}
