import Platform

extension PolicyEdit {
  /// What is wrong with an entry that a user wrote, in words that say where; empty if nothing is.
  package static func problems(of entry: JSONTree, for machine: ResourceID) -> [String] {
    guard case .object = entry else { return ["an object { … } is expected"] }
    var problems: [String] = []
    if ResourceID(entry["id"]?.text) != machine {
      problems.append("id: it must stay \(machine.text)")
    }
    guard case .array(let ports)? = entry["ports"], !ports.isEmpty else {
      return problems + ["ports: a list with at least one port is expected"]
    }
    var seen: Set<String> = []
    for (index, port) in ports.enumerated() {
      let found = self.problems(of: port)
      let name = port["number"]?.integer.map { "port \($0)" } ?? "ports[\(index)]"
      problems += found.map { "\(name): \($0)" }
      let key = "\(name) \(port["protocol"]?.text?.uppercased() ?? "")"
      if found.isEmpty, !seen.insert(key).inserted { problems.append("\(name): it is there twice") }
    }
    return problems
  }

  private static func problems(of port: JSONTree) -> [String] {
    guard case .object = port else { return ["an object { … } is expected"] }
    var problems: [String] = []
    if let number = port["number"]?.integer {
      if !(0...65535).contains(number) { problems.append("a port is a number from 0 to 65535") }
    } else {
      problems.append("number: a number from 0 to 65535 is expected")
    }
    if ![.tcp, .udp, .any].contains(port["protocol"]?.text.map { PortProtocol(rawValue: $0) }) {
      problems.append("protocol: \"TCP\", \"UDP\" or \"*\" is expected")
    }
    // The member that is not used may be empty (contract section 0).
    let one = port["allowedSourceAddressPrefix"].flatMap { value in
      value == .null || value == .string("") ? nil : value
    }
    let several = port["allowedSourceAddressPrefixes"]?.elements ?? []
    switch (one, several.isEmpty) {
    case (nil, true):
      problems.append(
        "allowedSourceAddressPrefix: an address, a CIDR or \"*\" is expected, or "
          + "allowedSourceAddressPrefixes with several")
    case (_?, false):
      problems.append(
        "only one of allowedSourceAddressPrefix and allowedSourceAddressPrefixes may be there")
    default: break
    }
    for source in (one.map { [$0] } ?? []) + several {
      if source.text.flatMap({ SourcePrefix(parsing: $0) }) == nil {
        problems.append(
          "\(printable(source.text ?? source.jsonText, limit: 60)) is no IPv4 address, no CIDR and not \"*\""
        )
      }
    }
    let limit = port["maxRequestAccessDuration"]?.text.flatMap { Duration(iso8601: $0) }
    if limit == nil || !durationLimits.contains(limit ?? .zero) {
      problems.append("maxRequestAccessDuration: from \"PT5M\" to \"P1D\" is expected")
    }
    return problems
  }

  /// What a policy may grant at most: from 5 minutes to a day (contract section 1).
  package static let durationLimits: ClosedRange<Duration> = .seconds(300)...(.seconds(86_400))
}
