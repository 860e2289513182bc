import ArgumentParser
import Azure
import JITConnect
import Platform
import Terminal

/// `jitconnect edit vm`: changes what a policy allows on a machine, by options or in an editor.
struct EditCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit",
    abstract: "Change the just-in-time policy of one VM.",
    usage: "jitconnect edit [options] vm",
    discussion: """
      Without a change on the command line the VM's part of the policy opens in VISUAL, EDITOR or vi.

        jitconnect edit web1 --port 22:max=1h          only the limit
        jitconnect edit web1 --add-port 8443/tcp
        jitconnect edit web1 --allow-source 203.0.113.7

      The change is shown and asked about. If somebody else changed the same VM meanwhile, nothing \
      is overwritten.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions
  @OptionGroup var policy: PolicyOptions

  @Option(
    help: ArgumentHelp(
      "Change only the named fields of a port: 22:from=10.0.0.0/8:max=1h.", valueName: "port"))
  var port: [String] = []

  @Option(help: ArgumentHelp("A port more, as for enable.", valueName: "port"))
  var addPort: [String] = []

  @Option(help: ArgumentHelp("A port less.", valueName: "number"))
  var removePort: [String] = []

  @Option(
    help: ArgumentHelp(
      "The longest time a request may ask for, of the one port there is.", valueName: "time"))
  var max: String?

  @Option(
    help: ArgumentHelp(
      "Sources that may be let in beside those that may, of the one port there is.",
      valueName: "who"))
  var allowSource: [String] = []

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var target: String

  func run(in world: World) async throws -> Int32 {
    // What is wrong with the command line is told before Azure is asked.
    let wanted = try EditedPorts(self)
    let settings = try common.settings(in: world.environment)
    let progress = Progress(world.console)
    let ticking = progress.ticking()
    defer {
      ticking.cancel()
      progress.finish()
    }
    progress.show("looking up \(target)")
    let azure = try await AzureAccess(world, settings)
    let search = MachineSearch(world, azure, settings, command: "jitconnect edit")
    let view = try await search.view(try common.query(target, in: world.environment))
    var current = view.policy
    // What is edited is compared with the policy itself, which a list may spell otherwise.
    if wanted.isEmpty, let listed = current { current = try await azure.policies.get(listed.id) }
    guard let policy = current, let entry = policy.machine(view.machine.id),
      let tree = PolicyEdit.entry(of: view.machine.id, in: policy.tree)
    else {
      throw Failure(
        .jitNotEnabled, what: "just-in-time access is not enabled on \(view.machine.name)",
        why: "no policy in its subscription holds it", next: "jitconnect enable \(target)")
    }
    let work = PolicyWork(
      world, azure, isConfirmed: common.yes, dropsDeleted: self.policy.dropDeleted,
      retype: retype, progress: progress)
    let session = EditSession(
      world: world, azure: azure, work: work, progress: progress, view: view, policy: policy,
      command: self)
    if wanted.isEmpty {
      // The terminal is the editor's.
      progress.finish()
      try await EntryEditor(world, view.machine).edit(tree) { edited throws(Failure) in
        var plan = session.plan(.replace(edited))
        plan.base = tree
        try await session.carryOut(plan, before: entry)
      }
    } else {
      let changes = try wanted.changes(on: entry, of: view.machine.name)
      try await session.carryOut(session.plan(.ports(changes)), before: entry)
    }
    return 0
  }
}

extension EditCommand {
  /// The same again, for the line that says what to type next.
  fileprivate var retype: String {
    var command = RetypedCommand("edit", common)
    command.add("--port", port)
    command.add("--add-port", addPort)
    command.add("--remove-port", removePort)
    command.add("--max", max)
    command.add("--allow-source", allowSource)
    command.add("--drop-deleted", if: policy.dropDeleted)
    return command.text([target])
  }
}

/// The changes that the options name.
private struct EditedPorts {
  var changed: [PortSpec] = []
  var added: [PortSpec] = []
  var removed: [Int] = []
  var maximum: Duration?
  var sources: [SourcePrefix] = []

  var isEmpty: Bool {
    changed.isEmpty && added.isEmpty && removed.isEmpty && maximum == nil && sources.isEmpty
  }

  init(_ command: EditCommand) throws(Failure) {
    for text in command.port {
      let spec = try PortSpec(parsing: text)
      changed.append(spec)
    }
    for text in command.addPort { added.append(try PortSpec(parsing: text)) }
    for text in command.removePort { removed.append(try PortSpec.port(text, of: text)) }
    if let text = command.max { maximum = try PortSpec.maximum(text) }
    for text in command.allowSource { sources += try PortSpec.sources(text) }
    let numbers = changed.map(\.number) + added.map(\.number) + removed
    if let twice = numbers.first(where: { number in numbers.count { $0 == number } > 1 }) {
      throw Failure(
        .usage, what: "port \(twice) is named twice", next: "say once what is to become of it")
    }
  }

  func changes(
    on entry: JITPolicy.Machine, of machine: String
  ) throws(Failure) -> [PortChange] {
    var changes: [PortChange] = []
    for number in changed.map(\.number) + removed where entry.rule(for: number) == nil {
      throw Failure(
        .notFound, what: "the policy of \(machine) has no port \(number)",
        why: Self.list(entry), next: "jitconnect edit \(machine) --add-port \(number)")
    }
    for spec in added where entry.rule(for: spec.number) != nil {
      throw Failure(
        .usage, what: "the policy of \(machine) has port \(spec.number) already",
        next: "change it: jitconnect edit \(machine) --port \(spec.number):max=1h")
    }
    changes += changed.map { $0.change(.change) }
    if maximum != nil || !sources.isEmpty {
      guard let number = changed.first?.number ?? entry.ports.first?.number,
        changed.count == 1 || (changed.isEmpty && entry.ports.count == 1)
      else {
        throw Failure(
          .usage, what: "--max and --allow-source need to know which port is meant",
          why: Self.list(entry),
          next:
            "name it: jitconnect edit \(machine) --port \(entry.ports.first?.number ?? 22):max=1h")
      }
      if changed.isEmpty { changes.append(PortChange(.change, number: number)) }
      changes[0].maximum = maximum ?? changes[0].maximum
      changes[0].addedSources = sources
    }
    changes += added.map { $0.change(.set) }
    changes += removed.map { PortChange(.remove, number: $0) }
    return changes
  }

  private static func list(_ entry: JITPolicy.Machine) -> String {
    "it has " + entry.ports.map(ruleText).joined(separator: "; ")
  }
}

/// One edit under way.
private struct EditSession {
  var world: World
  var azure: AzureAccess
  var work: PolicyWork
  var progress: Progress
  var view: MachineView
  var policy: JITPolicy
  var command: EditCommand

  func plan(_ change: EntryEdit.Change) -> PolicyPlan {
    let others = JITPolicies.policies(
      of: view.machine.id, location: view.machine.location, in: view.policies
    ).dropFirst()
    return PolicyPlan(
      policy: policy.id, edits: [EntryEdit(view.machine.id, change)],
      purpose: "change the just-in-time policy of \(view.machine.name)", listed: policy,
      remarks: others.map { "the policy \($0.name) in \($0.location) holds it too and stays" })
  }

  func carryOut(_ plan: PolicyPlan, before: JITPolicy.Machine) async throws(Failure) {
    do {
      if try await command.policy.print([plan], work, asJSON: command.common.json) { return }
      let results = try await work.carryOut([plan])
      for note in results.flatMap(\.notes) { world.console.warn(note) }
      let isChanged = results.contains { $0.change != .none }
      world.console.note(
        isChanged
          ? "the policy of \(view.machine.name) is changed"
          : "nothing is to be changed: the policy of \(view.machine.name) is like that already")
      let stayed = await unshut(results, before)
      let proof = try await proof(results, before)
      progress.finish()
      if command.common.json {
        try JSONOutput.write(PolicyReport(results, proof.map { [$0] }))
      }
      for warning in proof?.warnings ?? [] { world.console.warn(warning) }
      let retype = "jitconnect enable \(view.machine.id.text) --fix"
      if let failure = proof?.failure(retype: retype) { throw failure }
      if let stayed { throw stayed }
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(.systemFailed, what: "\(error)")
    }
  }

  /// Takes the rule of `enable --fix` from ports that left the policy: nothing would open them any
  /// more.
  ///
  /// - Returns: that a rule is still there.
  private func unshut(_ results: [PolicyResult], _ before: JITPolicy.Machine) async -> Failure? {
    guard let after = results.first?.policy else { return nil }
    let left = after.machine(view.machine.id)?.ports.map(\.number) ?? []
    let removed = before.ports.map(\.number).filter { !left.contains($0) }
    guard !removed.isEmpty else { return nil }
    let own = await PortProver(world, azure, progress: progress).ownRules(view.machine)
    for reason in own.unread {
      world.console.warn("a rule of enable --fix may still shut what was removed: \(reason)")
    }
    let idle = zip(own.ids, own.ports).filter { _, ports in
      ports.contains(where: removed.contains)
    }
    // One that shuts other ports too is written anew without this one by enable --fix.
    let shared = idle.filter { _, ports in ports.contains(where: left.contains) }
    for (rule, _) in shared {
      world.console.warn(
        "the rule \(rule.name) still shuts port \(removed.map(String.init).joined(separator: ", "))"
          + " with others; to shut only those: \(ShuttingRule.deleting(rule)), then "
          + "jitconnect enable \(view.machine.id.text) --fix")
    }
    let gone = idle.filter { _, ports in !ports.contains(where: left.contains) }.map(\.0)
    for rule in gone { world.console.note("the rule \(rule.name) of enable --fix goes too") }
    return await azure.securityGroups.deleteRules(gone)
  }

  /// Where ports came to the policy, whether they are shut.
  private func proof(
    _ results: [PolicyResult], _ before: JITPolicy.Machine
  ) async throws(Failure) -> PortProof? {
    guard let after = results.first?.policy, let entry = after.machine(view.machine.id),
      entry.ports.contains(where: { before.rule(for: $0.number) == nil })
    else { return nil }
    return try await PortProver(world, azure, progress: progress).prove(view.machine, after)
  }
}
