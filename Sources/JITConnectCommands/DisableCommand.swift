import ArgumentParser
import Azure
import JITConnect
import Platform
import Terminal

/// `jitconnect disable vm…`: takes machines out of their policies.
struct DisableCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "disable",
    abstract: "Take VMs out of just-in-time access.",
    usage: "jitconnect disable [options] vm ...",
    discussion: """
      Only these VMs' entries go; a policy whose last entry it was goes as well. A VM that was \
      deleted and still stands in a policy can be named too. Rules that enable --fix made for the VM \
      are taken away with it.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions
  @OptionGroup var policy: PolicyOptions

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var targets: [String]

  func run(in world: World) async throws -> Int32 {
    let settings = try common.settings(in: world.environment)
    let progress = Progress(world.console)
    let ticking = progress.ticking()
    defer {
      ticking.cancel()
      progress.finish()
    }
    progress.show("looking up \(targets.joined(separator: ", "))")
    let azure = try await AzureAccess(world, settings)
    let search = MachineSearch(world, azure, settings, command: "jitconnect disable")
    let disabling = Disabling(azure, search)
    var found: [Disabling.Target] = []
    for target in targets {
      let item = try await disabling.target(try common.query(target, in: world.environment))
      if !found.contains(where: { $0.id == item.id }) { found.append(item) }
    }
    var plans = disabling.plans(found, now: world.azureNow)
    var rules: [ResourceID] = []
    for machine in found.compactMap(\.machine) {
      let own = await PortProver(world, azure, progress: progress).ownRules(machine)
      rules += own.ids.filter { !rules.contains($0) }
      for reason in own.unread {
        world.console.warn("a rule of enable --fix for \(machine.name) may stay: \(reason)")
      }
    }
    if !plans.isEmpty {
      plans[0].remarks += rules.map { "the rule \($0.name), made by enable --fix, goes too" }
    }
    let work = PolicyWork(
      world, azure, isConfirmed: common.yes, dropsDeleted: policy.dropDeleted,
      retype: retype, progress: progress)
    let deleting = rules.map { azure.securityGroups.deleteCall($0) }
    if try await policy.print(plans, work, asJSON: common.json, more: deleting) { return 0 }
    let results = try await work.carryOut(plans)
    let stayed = await azure.securityGroups.deleteRules(rules)
    progress.finish()
    for note in results.flatMap(\.notes) { world.console.warn(note) }
    world.console.note(
      "just-in-time access is off on \(found.map(\.id.name).joined(separator: ", ")); what their "
        + "network security groups say counts from now on")
    if common.json { try JSONOutput.write(PolicyReport(results)) }
    if let stayed { throw stayed }
    return 0
  }

  private var retype: String {
    var command = RetypedCommand("disable", common)
    command.add("--drop-deleted", if: policy.dropDeleted)
    return command.text(targets)
  }
}
