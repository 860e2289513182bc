import ArgumentParser
import Azure
import FoundationEssentials
import JITConnect
import Platform
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `jitconnect list`: every machine in sight, by its just-in-time access.
struct ListCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "VMs by state: configured, not configured, unsupported and why.",
    usage: "jitconnect list [options]",
    discussion: """
      On a terminal a table for each state; in a pipe a line for each VM as soon as it is known, with \
      tabs between: state, group/vm, subscription, OS, power, ports, open windows, last request, \
      where the rules are, remarks, resource id. --json has the same and more, one VM to a line.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions

  @Option(
    help: ArgumentHelp(
      "configured, not-configured, unsupported or unknown; several with commas.",
      valueName: "state"))
  var state: String?

  @Option(help: ArgumentHelp("Only VMs with this tag; may be repeated.", valueName: "name=value"))
  var tag: [String] = []

  @Option(help: ArgumentHelp("linux or windows.", valueName: "system"))
  var os: String?

  @Flag(help: "Only VMs with an open window of your own.")
  var mine = false

  func run(in world: World) async throws -> Int32 {
    let states = try wantedStates()
    var filter = FleetFilter()
    for text in tag { filter.tags.append(try FleetFilter.Tag(parsing: text)) }
    if let os {
      guard let system = OperatingSystem(rawValue: os.lowercased()) else {
        throw Failure(
          .usage, what: "'\(printable(os, limit: 100))' is no operating system here",
          next: "--os linux or --os windows")
      }
      filter.operatingSystem = system
    }
    let settings = try common.settings(in: world.environment)
    filter.subscription = settings.subscription
    filter.resourceGroup = settings.resourceGroup
    let azure = try await AzureAccess(world, settings)
    // Names of subscriptions are a convenience: what stands for them otherwise is their ids.
    let names = Task {
      await outcome { () async throws(Failure) in try await azure.directory.subscriptions() }
    }
    defer { names.cancel() }
    let console = world.console
    let progress = Progress(console)
    let ticking = progress.ticking()
    defer {
      ticking.cancel()
      progress.finish()
    }
    progress.show("looking at the virtual machines")
    var output = MachineListOutput(
      form: common.json ? .json : console.outputIsTerminal ? .tables : .lines,
      clock: { world.azureNow }, own: OwnWindows(world.environment, clock: world.clock))
    let ending = try await MachineSurvey(world, azure, filter).run { page in
      if output.names == nil {
        let all = (try? await names.value.get()) ?? []
        output.names = Dictionary(all.map { ($0.id.lowercased(), $0.name) }) { first, _ in first }
      }
      let shown = page.filter { states.contains($0.state) && (!mine || $0.isMine) }
      // Whoever reads the lines may write on the same terminal.
      if !shown.isEmpty, output.form != .tables { progress.finish() }
      try output.add(shown)
    }
    progress.finish()
    try output.end(ending, console)
    for reason in ending.unread { console.warn("not read: \(reason)") }
    for (policy, machines) in ending.strangers.sorted(by: { $0.key.text < $1.key.text }) {
      console.note(
        "the policy \(policy.name) of \(policy.resourceGroup ?? "") holds "
          + "\(machines.map(\.name).joined(separator: ", ")), which \(machines.count == 1 ? "is" : "are") "
          + "not in sight; if deleted: jitconnect disable \(machines[0].text)")
    }
    return 0
  }

  private func wantedStates() throws(Failure) -> Set<SurveyedMachine.State> {
    guard let state else { return Set(SurveyedMachine.State.allCases) }
    var states: Set<SurveyedMachine.State> = []
    for word in state.split(separator: ",") {
      guard let known = SurveyedMachine.State(rawValue: word.lowercased()) else {
        throw Failure(
          .usage, what: "'\(printable(String(word), limit: 100))' is no state",
          next: "--state " + SurveyedMachine.State.allCases.map(\.rawValue).joined(separator: ","))
      }
      states.insert(known)
    }
    return states
  }
}
