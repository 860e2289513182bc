import ArgumentParser
import Azure
import JITConnect
import Platform
import Terminal

/// `jitconnect enable vm…`: puts machines under just-in-time access, and proves that it holds.
struct EnableCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "enable",
    abstract: "Enable just-in-time access on VMs, and prove that the ports are shut.",
    usage: "jitconnect enable [options] vm ...",
    discussion: """
      Without ports: 22 on Linux, 3389 on Windows, for 3 hours at most, from any source.

        jitconnect enable web1
        jitconnect enable web1 --port 22:from=203.0.113.0/24:max=1h --port 8443/tcp

      Ports that are there already keep what is not named. The change is shown and asked about; \
      other VMs in the policy keep their entries. Afterwards the network security groups are read: \
      a rule that still lets somebody in is named (error port-still-open), and --fix writes one \
      before it that shuts the port of this VM alone.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions
  @OptionGroup var policy: PolicyOptions

  @Option(
    help: ArgumentHelp(
      "22, 22/tcp, 8443/tcp:from=10.0.0.0/8,203.0.113.7:max=1h; may be repeated.",
      valueName: "port"))
  var port: [String] = []

  @Flag(help: "The ports that Defender for Cloud recommends: 22, 3389, 5985, 5986.")
  var recommended = false

  @Flag(help: "Shut what a rule before just-in-time access's still lets in.")
  var fix = false

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var targets: [String]

  func run(in world: World) async throws -> Int32 {
    let changes = try wantedPorts()
    let settings = try common.settings(in: world.environment)
    let progress = Progress(world.console)
    let ticking = progress.ticking()
    defer {
      ticking.cancel()
      progress.finish()
    }
    progress.show("looking up \(targets.joined(separator: ", "))")
    let azure = try await AzureAccess(world, settings)
    let search = MachineSearch(world, azure, settings, command: "jitconnect enable")
    var queries: [TargetQuery] = []
    for target in targets { queries.append(try common.query(target, in: world.environment)) }
    let views = try await search.views(queries)
    let plans = try Enabling.plans(views, ports: changes)
    let work = PolicyWork(
      world, azure, isConfirmed: common.yes, dropsDeleted: policy.dropDeleted,
      retype: retype(), progress: progress)
    if try await policy.print(plans, work, asJSON: common.json) {
      if policy.dryRun, fix {
        world.console.remark("# --fix looks at the rules after that, and may write one more")
      }
      return 0
    }
    let results = try await work.carryOut(plans)
    tell(results, world.console)
    let proofs = try await prove(views, results, PortProver(world, azure, progress: progress))
    progress.finish()
    if common.json { try JSONOutput.write(PolicyReport(results, proofs)) }
    try tell(proofs, world.console)
    return 0
  }

  /// The same again, for the line that says what to type next.
  private func retype(fixing: Bool = false) -> String {
    var command = RetypedCommand("enable", common)
    command.add("--port", port)
    command.add("--recommended", if: recommended)
    command.add("--drop-deleted", if: policy.dropDeleted)
    command.add("--fix", if: fix || fixing)
    return command.text(targets)
  }

  private func wantedPorts() throws(Failure) -> [PortChange] {
    var spelled: [PortChange] = []
    for text in port { spelled.append(try PortSpec(parsing: text).change(.set)) }
    let numbers = spelled.map(\.number)
    if let twice = numbers.first(where: { number in numbers.count { $0 == number } > 1 }) {
      throw Failure(
        .usage, what: "port \(twice) is named twice",
        next: "name it once; --port \(twice) is for every protocol")
    }
    // A port that is spelled out counts before a recommended one.
    return (recommended ? PortSpec.recommended : []).filter { !numbers.contains($0.number) }
      + spelled
  }

  private func tell(_ results: [PolicyResult], _ console: Console) {
    for result in results {
      for note in result.notes { console.warn(note) }
      let names = result.machines.map(\.name).joined(separator: ", ")
      console.note(
        result.change == .none
          ? "just-in-time access is enabled on \(names) already"
          : "enabled just-in-time access on \(names)")
    }
  }

  /// Reads whether the ports are shut, and shuts them with `--fix`.
  private func prove(
    _ views: [MachineView], _ results: [PolicyResult], _ prover: PortProver
  ) async throws -> [PortProof] {
    // Side by side, since each may wait for its deny rule.
    let found = await sideBySide(views) { view in
      await outcome { () async throws(Failure) -> (JITPolicy, PortProof)? in
        let written = results.first { $0.machines.contains(view.machine.id) }?.policy
        guard let policy = written ?? view.policy,
          let proof = try await prover.prove(view.machine, policy)
        else { return nil }
        return (policy, proof)
      }
    }
    var proofs: [PortProof] = []
    for result in found {
      guard case (let policy, var proof)? = try result.get() else { continue }
      if fix { proof = try await prover.mend(proof, policy, isConfirmed: common.yes) }
      proofs.append(proof)
    }
    return proofs
  }

  private func tell(_ proofs: [PortProof], _ console: Console) throws {
    var open: [Failure] = []
    for proof in proofs {
      for warning in proof.warnings { console.warn(warning) }
      let shut = proof.ports.filter { $0.verdict == .shut }.map { String($0.number) }
      if !shut.isEmpty {
        console.note("shut on \(proof.machine.name): port \(shut.joined(separator: ", "))")
      }
      let retype = retype(fixing: true)
      if let failure = proof.failure(retype: retype) { open.append(failure) }
    }
    guard var failure = open.first else { return }
    if open.count > 1 {
      failure.what = "ports of \(open.count) machines are still open without a window"
      failure.why = open.compactMap(\.why).joined(separator: "\n")
    }
    throw failure
  }
}

extension VerbOptions {
  /// The machine that an argument means.
  func query(_ target: String, in environment: Environment) throws(Failure) -> TargetQuery {
    try TargetQuery(try resolve(target, in: environment).options)
  }
}
