import ArgumentParser
import Azure
import JITConnect
import Platform
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `jitconnect ssh-config [vm …]`: blocks for ~/.ssh/config, so that ssh itself goes through us.
struct SSHConfigCommand: VerbCommand {
  static let configuration = CommandConfiguration(
    commandName: "ssh-config",
    abstract: "An OpenSSH config block, so that plain ssh, scp and editors work.",
    usage: "jitconnect ssh-config [options] [vm ...]",
    discussion: """
      Without a VM there is a block for each one in sight. Keep them in a file of their own:

        jitconnect ssh-config > ~/.ssh/jit.config

      with the line `Include jit.config` at the head of ~/.ssh/config. Then `ssh web1.jit` opens the \
      window and connects. A VM that is re-created needs its block anew: its host key is pinned to \
      the machine, not to its name.
      """, helpNames: .long)

  @OptionGroup var common: VerbOptions

  @Option(help: ArgumentHelp("What names end with. (default: .jit)", valueName: "text"))
  var suffix = ".jit"

  @Argument(help: ArgumentHelp("vm, group/vm or a resource id.", valueName: "vm"))
  var targets: [String] = []

  func run(in world: World) async throws -> Int32 {
    guard !common.json else {
      throw Failure(
        .usage, what: "ssh-config writes OpenSSH's configuration, and no JSON",
        next: "leave --json out; jitconnect list --json lists the VMs")
    }
    guard suffix.utf8.allSatisfy({ SSHName.isValidHost("x" + String(UnicodeScalar($0))) }) else {
      throw Failure(
        .usage, what: "'\(printable(suffix, limit: 100))' cannot end the name of a host",
        next: "use letters, digits, dots and dashes: --suffix .jit")
    }
    let machines = try await machines(in: world)
    guard let path = OwnProcess.path else {
      throw Failure(.systemFailed, what: "the path of this program is not known")
    }
    // ssh adds keys to a file, and makes no folder for it.
    if let folder = world.environment.stateDirectory { try? Files.makeDirectory(folder) }
    let hosts = ConfigBlock.hosts(machines, suffix: suffix)
    let blocks = zip(machines, hosts).map { machine, host in
      ConfigBlock(machine, host: host, program: path, environment: world.environment).text
    }
    try writeAll(STDOUT_FILENO, blocks.joined(separator: "\n").utf8)
    return 0
  }

  private func machines(in world: World) async throws(Failure) -> [VirtualMachine] {
    guard !targets.isEmpty else { return try await fleet(in: world) }
    var machines: [VirtualMachine] = []
    for target in targets {
      let options = try common.resolve(target, in: world.environment).options
      let azure = try await AzureAccess(world, options.jit)
      let search = MachineSearch(world, azure, options.jit, command: "jitconnect ssh-config")
      let query = try TargetQuery(options)
      var machine: VirtualMachine
      if case .id(let id) = query.name {
        machine = try await azure.directory.get(id)
      } else {
        machine = try await search.find(query).machine
        // One that was chosen among near names is known by its id alone.
        if machine.vmID == nil { machine = try await azure.directory.get(machine.id) }
      }
      machines.append(machine)
    }
    return machines
  }

  private func fleet(in world: World) async throws(Failure) -> [VirtualMachine] {
    let settings = try common.settings(in: world.environment)
    let azure = try await AzureAccess(world, settings)
    var machines: [VirtualMachine] = []
    let unread = try await azure.directory.fleet(
      FleetFilter(subscription: settings.subscription, resourceGroup: settings.resourceGroup)
    ) { page throws(Failure) in machines += page }
    for problem in unread { world.console.warn("not all VMs are in sight: \(problem)") }
    guard !machines.isEmpty else {
      throw Failure(
        .vmNotFound, what: "there is no virtual machine in sight",
        next: "jitconnect whoami tells who is signed in")
    }
    return machines.sorted { ($0.name.lowercased(), $0.id.key) < ($1.name.lowercased(), $1.id.key) }
  }
}
