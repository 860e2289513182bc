import Azure
import Platform

/// What this account may do, each action where Azure checks it.
extension Doctor {
  private struct Need: Sendable {
    var action: AzureAction
    var scope: ResourceID
    /// The check that sees nothing without it; nil where a connection itself needs it.
    var sees: String?
    /// Why the account may have it all the same: the resource itself is not known, and its group
    /// was asked.
    var doubt: String?
  }

  func permissions(_ patient: Patient) async -> [Finding] {
    guard let (azure, machine) = patient.subject else { return [patient.unseen("permission")] }
    let needs = needs(patient, machine)
    var scopes: [ResourceID] = []
    for need in needs where !scopes.contains(need.scope) { scopes.append(need.scope) }
    async let account = account(azure)
    let answers = await sideBySide(scopes) { scope in
      await outcome { () async throws(Failure) in try await azure.permissions.at(scope) }
    }
    let sets = Dictionary(zip(scopes, answers)) { first, _ in first }
    let assignee = await account
    return needs.compactMap { need in
      sets[need.scope].map { finding(need, $0, assignee) }
    }
  }

  private func needs(_ patient: Patient, _ machine: VirtualMachine) -> [Need] {
    let group =
      ResourceID("/subscriptions/\(machine.subscriptionID)/resourceGroups/\(machine.resourceGroup)")
      ?? machine.id
    let known = patient.known.first ?? patient.remembered
    // A policy that is not there yet inherits from its group.
    let policy = known?.id ?? group
    let isRead = known != nil || (try? patient.policies?.get()) != nil
    let doubt = isRead ? nil : "it may be had on the policy alone, which could not be read"
    var needs = [AzureAction.initiate, .readPolicy].map {
      Need(action: $0, scope: policy, doubt: doubt)
    }
    needs.append(Need(action: .readMachine, scope: machine.id))
    func add(_ action: AzureAction, _ scope: ResourceID?, sees: String? = nil) {
      guard let scope, !needs.contains(where: { $0.action == action && $0.scope == scope }) else {
        return
      }
      needs.append(Need(action: action, scope: scope, sees: sees))
    }
    if machine.addresses.isEmpty {
      needs.append(
        Need(
          action: .readInterface, scope: group,
          doubt: "it may be had on the interface alone, which is not known"))
    }
    for address in machine.addresses {
      add(.readInterface, address.networkInterface)
      add(.readPublicAddress, address.publicIP)
    }
    if let address = machine.addresses.first {
      add(.readSubnet, address.subnet, sees: "nsg")
      for id in address.securityGroups { add(.readSecurityGroup, id, sees: "nsg") }
    }
    add(.readPlan, machine.id, sees: "plan")
    if patient.gap == nil, !machine.mayRun { add(.startMachine, machine.id) }
    if case .success(let policies)? = patient.policies,
      policies.first?.machine(machine.id)?.rule(for: patient.port) == nil
    {
      add(.writePolicy, policy)
      add(.writeMachine, machine.id)
    }
    return needs
  }

  private func finding(
    _ need: Need, _ set: Result<PermissionSet, Failure>, _ assignee: String?
  ) -> Finding {
    let place = "\(need.action) on \(Self.shortText(need.scope))"
    let role = need.action.role.map { " (the role \($0) has it)" } ?? ""
    var finding: Finding
    switch set {
    case .failure(let failure):
      finding = .unknown(
        "permission", "cannot tell whether this account may \(place)\(role)",
        Finding.lines(of: failure))
      finding.code = failure.code
    case .success(let set) where set.allows(need.action):
      finding = .ok("permission", "may \(place)\(role)")
    case .success:
      let grant = need.action.role.map { role in
        shellLine([
          "az", "role", "assignment", "create", "--assignee", assignee ?? "ACCOUNT", "--role", role,
          "--scope", need.scope.text,
        ])
      }
      let text = "no role of this account has \(place)\(role)"
      var details = ["an owner of \(need.scope.text) can grant it"]
      if need.action == .writePolicy {
        details.append("Azure may ask for it on the subscription")
      }
      if let doubt = need.doubt {
        finding = .unknown("permission", text, details + [doubt], next: grant)
      } else if let check = need.sees {
        details.append("a connection does without; the check \(check) may see nothing")
        finding = .unknown("permission", text, details, next: grant)
      } else {
        finding = .problem("permission", text, details, next: grant)
      }
    }
    finding.right = Finding.Right(
      action: need.action.rawValue, scope: need.scope.text, role: need.action.role)
    return finding
  }

  /// "virtualMachines/web1", "resourceGroups/rg-demo".
  private static func shortText(_ id: ResourceID) -> String {
    id.text.split(separator: "/").suffix(2).joined(separator: "/")
  }
}
