package import Azure
import FoundationEssentials
import Identity
package import Platform
package import SSHConfig
import Terminal

/// Finds the machine that a name means, and asks or lists where it means several or none.
package struct MachineSearch: Sendable {
  private let world: World
  package let azure: AzureAccess
  private let settings: JitSettings
  /// What is typed to do the same with a machine of another name.
  private let command: @Sendable (String) -> String

  /// - Parameter command: what is typed before a machine's name to do the same again.
  package init(
    _ world: World, _ azure: AzureAccess, _ settings: JitSettings, command: String
  ) {
    self.init(world, azure, settings) { "\(command) \(shellLine([$0]))" }
  }

  init(
    _ world: World, _ azure: AzureAccess, _ settings: JitSettings,
    command: @escaping @Sendable (String) -> String
  ) {
    self.world = world
    self.azure = azure
    self.settings = settings
    self.command = command
  }

  /// The machine of that name; several are listed, and on a terminal one may be chosen.
  ///
  /// - Returns: the machine, and whether it was chosen by the user rather than named.
  package func find(
    _ target: TargetQuery
  ) async throws(Failure) -> (machine: VirtualMachine, isChosen: Bool) {
    let matches = try await azure.directory.find(target.directoryQuery)
    guard let first = matches.machines.first else {
      return (try await chooseNear(target, unread: matches.unread), true)
    }
    let exact = matches.machines.filter { $0.name == target.name.name }
    if matches.machines.count == 1 { return (first, false) }
    if exact.count == 1 { return (exact[0], false) }
    let candidates = await breakTies(exact.isEmpty ? matches.machines : exact)
    if candidates.count == 1 { return (candidates[0], true) }
    return (try await choose(target, among: candidates), true)
  }

  /// az's default group and subscription decide between equals; they never narrow a search.
  private func breakTies(_ machines: [VirtualMachine]) async -> [VirtualMachine] {
    let profile = await AzureCLIProfile.read(in: world.environment, cloud: azure.cloud.name)
    guard let profile else { return machines }
    var left = machines
    if let subscription = profile.defaultSubscription?.id {
      let narrowed = left.filter { $0.subscriptionID.lowercased() == subscription.lowercased() }
      if !narrowed.isEmpty { left = narrowed }
    }
    if let group = profile.defaultGroup {
      let narrowed = left.filter { $0.resourceGroup.lowercased() == group.lowercased() }
      if !narrowed.isEmpty { left = narrowed }
    }
    return left
  }

  private func choose(
    _ target: TargetQuery, among machines: [VirtualMachine]
  ) async throws(Failure) -> VirtualMachine {
    let question = "Several virtual machines are named \(target.name.name). Which one?"
    let rows = machines.map { "\($0.resourceGroup)  \($0.subscriptionID)  \(stateText($0))" }
    switch await world.ask({ $0.choose(question, among: rows) }) {
    case .given(let index) where machines.indices.contains(index): return machines[index]
    case .interrupted: throw Failure(.interrupted, what: "interrupted")
    default:
      let lines = machines.map { machine in
        "\(machine.resourceGroup)/\(machine.name) (subscription \(machine.subscriptionID), "
          + "\(stateText(machine))): \(command(retype(machine, among: machines)))"
      }
      throw Failure(
        .vmAmbiguous, what: "\(machines.count) virtual machines are named \(target.name.name)",
        why: lines.joined(separator: "\n"),
        next: command(retype(machines[0], among: machines)))
    }
  }

  /// The shortest way to name one of several.
  private func retype(_ machine: VirtualMachine, among machines: [VirtualMachine]) -> String {
    let group = machine.resourceGroup
    let isUnique =
      machines.count { $0.resourceGroup.lowercased() == group.lowercased() } == 1
    return isUnique ? "\(group)/\(machine.name)" : machine.id.text
  }

  private func stateText(_ machine: VirtualMachine) -> String {
    machine.powerState?.rawValue ?? "state unknown"
  }

  /// Offers the machines whose names are near to one that was not found; none is taken by itself.
  private func chooseNear(
    _ target: TargetQuery, unread: [String]
  ) async throws(Failure) -> VirtualMachine {
    async let lookalike = azure.directory.lookalike(target.directoryQuery)
    var near = (try? await azure.directory.near(target.directoryQuery)) ?? []
    if near.isEmpty, target.resourceGroup != nil {
      // Perhaps only the group is wrong.
      let everywhere = VirtualMachineDirectory.Query(name: target.name.name)
      near = (try? await azure.directory.near(everywhere)) ?? []
    }
    if !settings.reachesUnknownHosts, let failure = try? await lookalike { throw failure }
    if !near.isEmpty, !settings.reachesUnknownHosts {
      let question = "No virtual machine is named \(target.name). Which one is meant?"
      let rows = near.map { "\($0.resourceGroup ?? "")/\($0.name)  \($0.subscription)" }
      switch await world.ask({ [rows] in $0.choose(question, among: rows) }) {
      case .given(let index) where near.indices.contains(index):
        return VirtualMachine(id: near[index], location: "")
      case .interrupted: throw Failure(.interrupted, what: "interrupted")
      default: break
      }
    }
    var why: [String] = []
    if let group = target.resourceGroup { why.append("looked in the group \(group)") }
    if let subscription = target.subscription {
      why.append("looked in the subscription \(subscription)")
    }
    if !near.isEmpty {
      let names = near.map { "\($0.resourceGroup ?? "")/\($0.name)" }
      why.append("near to it: \(names.joined(separator: ", "))")
    }
    if !unread.isEmpty { why.append("could not be searched: \(unread.joined(separator: "; "))") }
    if !unread.isEmpty, settings.reachesUnknownHosts {
      // It may be there all the same: plain ssh must not be tried in its place.
      throw Failure(
        .azureUnavailable, what: "cannot tell whether \(target.name) is a virtual machine",
        why: why.joined(separator: "; "), next: "try again, or --no-jit for plain ssh")
    }
    throw Failure(
      .vmNotFound,
      what: "no virtual machine is named \(target.name)",
      why: why.isEmpty ? nil : why.joined(separator: "; "),
      next: near.first.map { command("\($0.resourceGroup ?? "")/\($0.name)") }
        ?? "check the name, and that this account may read the VM: jitconnect list")
  }
}
