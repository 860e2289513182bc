import Platform

extension NetworkSecurityGroup {
  /// Where a customer's rule can go that keeps out who has a window.
  package struct Move: Sendable, Equatable {
    package var rule: SecurityGroupRule
    /// Behind the numbers of windows, before the deny rule of just-in-time access.
    package var priority: Int
    /// The customer's rules that it then comes after.
    package var overtakenBy: [SecurityGroupRule]
  }

  /// The nearest free number behind the windows of just-in-time access, so that the rule stays as
  /// far before others as it can and still no window comes after it.
  ///
  /// - Returns: nil where no number is free there.
  package func moveBehindWindows(_ rule: SecurityGroupRule) -> Move? {
    let inbound = rules.filter { $0.isInbound && !$0.isDefault }
    let windows = inbound.filter { $0.jit?.kind == .window }.map(\.priority)
    let lowest = max(windows.max() ?? 0, Assumptions.windowPriorities.upperBound) + 1
    // A customer's numbers end at 4096.
    let end = inbound.filter { $0.jit?.kind == .deny }.map(\.priority).min() ?? 4097
    let taken = Set(inbound.map(\.priority))
    guard rule.priority < lowest, lowest < end,
      let priority = (lowest..<end).first(where: { !taken.contains($0) })
    else { return nil }
    return Move(
      rule: rule, priority: priority,
      overtakenBy: inbound.filter {
        $0.jit == nil && $0.priority > rule.priority && $0.priority < priority
      })
  }

  /// What az takes to carry a move out.
  package func command(for move: Move) -> String {
    shellLine([
      "az", "network", "nsg", "rule", "update", "--subscription", id.subscription, "-g",
      id.resourceGroup ?? "", "--nsg-name", name, "-n", move.rule.name, "--priority",
      String(move.priority),
    ])
  }

  /// What az takes to let sources in before a rule that keeps them out.
  ///
  /// - Parameters:
  ///   - rule: nil is the group's default.
  ///   - name: of the new rule.
  /// - Returns: nil where no number is free before that rule, or the address is not known.
  package func commandLettingIn(
    _ sources: [SourcePrefix], to destination: InboundPath.Destination, port: Int,
    before rule: SecurityGroupRule?, name: String
  ) -> String? {
    let taken = Set(rules.filter(\.isInbound).map(\.priority))
    // A customer's numbers are 100 to 4096.
    let end = min(rule?.priority ?? 4097, 4097)
    guard let address = destination.privateAddress, !sources.isEmpty, end > 100,
      let priority = (100..<end).last(where: { !taken.contains($0) })
    else { return nil }
    return shellLine(
      [
        "az", "network", "nsg", "rule", "create", "--subscription", id.subscription, "-g",
        id.resourceGroup ?? "", "--nsg-name", self.name, "-n", name, "--priority",
        String(priority), "--direction", "Inbound", "--access", "Allow", "--protocol", "Tcp",
        "--destination-address-prefixes", address.text, "--destination-port-ranges",
        String(port), "--source-address-prefixes",
      ] + sources.map(\.text))
  }
}
