import Azure
import JITConnect
import Platform

/// What the verbs that write policies tell, as their JSON has it.
struct PolicyReport: Encodable {
  struct Policy: Encodable {
    var id: String
    /// `created`, `changed`, `deleted` or `none`.
    var change: String
    var machines: [Machine]
    /// Entries of deleted machines that were taken out.
    var dropped: [String]
    var notes: [String]
  }

  struct Machine: Encodable {
    var id: String
    var ports: [PortReport]
  }

  /// Whether a port is shut, as read from the security groups.
  struct Proof: Encodable {
    var id: String
    var port: Int
    /// `shut`, `open`, `inside` (open to the virtual network alone) or `unknown`.
    var state: String
    var rules: [Rule]
    var why: String?
  }

  struct Rule: Encodable {
    var id: String?
    var name: String
    var group: String
    var priority: Int
    var sources: [String]
  }

  var policies: [Policy]
  var proofs: [Proof]?

  init(_ results: [PolicyResult], _ proofs: [PortProof]? = nil) {
    policies = results.map { result in
      Policy(
        id: result.id.text, change: result.change.rawValue,
        machines: result.machines.map { id in
          Machine(
            id: id.text, ports: (result.policy?.machine(id)?.ports ?? []).map(PortReport.init))
        }, dropped: result.dropped.map(\.text), notes: result.notes)
    }
    self.proofs = proofs.map { $0.flatMap(Self.proofs) }
  }

  private static func proofs(_ proof: PortProof) -> [Proof] {
    proof.ports.map { port in
      var item = Proof(
        id: proof.machine.id.text, port: port.number, state: "shut", rules: [], why: nil)
      switch port.verdict {
      case .shut: break
      case .unknown(let reason):
        item.state = "unknown"
        item.why = reason
      case .open(let holes):
        item.state = port.isOpenToInternet ? "open" : "inside"
        for opening in holes.flatMap(\.openings) {
          let rule = Rule(
            id: opening.rule.id?.text, name: opening.rule.name, group: opening.group.text,
            priority: opening.rule.priority,
            sources: opening.rule.sources + opening.rule.sourceGroups.map(\.text))
          if !item.rules.contains(where: { $0.id == rule.id && $0.name == rule.name }) {
            item.rules.append(rule)
          }
        }
      }
      return item
    }
  }
}

/// A rule of a policy, in JSON.
struct PortReport: Encodable {
  var port: Int
  var `protocol`: String
  var allowedSources: [String]
  var maximumSeconds: Int?

  init(_ rule: PortRule) {
    port = rule.number
    `protocol` = rule.protocol.description
    allowedSources = rule.allowedSources.map(\.text)
    maximumSeconds = rule.maximumDuration.map { Int($0.components.seconds) }
  }
}
