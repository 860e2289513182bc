import Azure
import Platform
import SSHConfig

extension Connect {
  /// Whether another program or host carries the connection.
  var isProxied: Bool { options.proxyCommand != nil || options.proxyJump != nil }

  /// Whether nobody has said which address the VM will see: behind a proxy it is not ours.
  var lacksSource: Bool {
    if case .auto = options.jit.source { isProxied } else { false }
  }

  /// Behind a jump host in Azure the private address is the one that surely leads there; a public
  /// one counts only where it was asked for.
  var prefersPrivate: Bool {
    lacksSource && options.proxyJump != nil && options.jit.origin(of: .address) == nil
  }

  /// The machine that stands before this one, whose address the window is for.
  ///
  /// - Returns: nil where the source is our own, or named.
  func jumpHost(
    before machine: VirtualMachine, _ azure: AzureAccess
  ) async throws(Failure) -> VirtualMachine? {
    guard lacksSource else { return nil }
    guard let hop = options.proxyJump?.hops.last else {
      throw sourceNeeded(machine, behind: "ProxyCommand")
    }
    let shown = printable(hop.host, limit: 255)
    guard let name = try? TargetName(parsing: hop.host) else {
      throw sourceNeeded(machine, behind: shown)
    }
    let found: [VirtualMachine]
    do throws(Failure) {
      found = try await azure.directory.find(VirtualMachineDirectory.Query(name: name.name))
        .machines
    } catch {
      guard error.code == .vmNotFound || error.code == .notFound else { throw error }
      found = []
    }
    // Resource Graph's addresses may be old.
    guard found.count == 1, let hit = found.first else {
      throw sourceNeeded(machine, behind: shown, matches: found.count)
    }
    return try await azure.directory.get(hit.id, known: hit)
  }

  /// The address that the VM sees when it is reached from the jump host.
  func source(
    of jumpHost: VirtualMachine, towards address: String, of machine: VirtualMachine
  ) throws(Failure) -> SourcePrefix {
    let isPrivate = machine.addresses.contains { $0.privateIPv4 == address }
    let text = jumpHost.addresses.lazy.compactMap { isPrivate ? $0.privateIPv4 : $0.publicIPv4 }
      .first
    guard let text, let source = SourcePrefix(parsing: text) else {
      throw Failure(
        .addressUnclear,
        what: "\(jumpHost.name) has no \(isPrivate ? "private" : "public") IPv4 address",
        next: "name the one that \(machine.name) will see: --source ADDRESS")
    }
    world.debug("\(jumpHost.name) comes from \(source.text)")
    return source
  }

  private func sourceNeeded(
    _ machine: VirtualMachine, behind: String, matches: Int = 0
  ) -> Failure {
    Failure(
      .addressUnclear,
      what: "which address \(machine.name) will see behind \(behind) is not known",
      why: matches == 0
        ? "a window is opened for the address that the connection comes from"
        : "\(matches) virtual machines have the jump host's name",
      next: "name it: \(typed.text(adding: "--source", "ADDRESS"))")
  }

  /// The program that carries the connection to this address; nil where none does.
  func proxy(
    to host: String, port: Int, _ machine: VirtualMachine?
  ) throws(Failure) -> ProxyProgram? {
    if let jump = options.proxyJump { return try self.jump(jump, to: host, port: port) }
    guard let command = options.proxyCommand else { return nil }
    var tokens = options.tokens
    tokens.host = host
    tokens.port = port
    tokens.user = options.loginName(on: machine, world.environment)
    do throws(SSHConfigError) {
      return ProxyProgram(
        command: try tokens.expand(command, .proxyCommand),
        to: ProxyProgram.Target(host: host, port: port), world.environment)
    } catch {
      throw Failure(.configInvalid, what: "ProxyCommand: \(error.message)")
    }
  }
}
