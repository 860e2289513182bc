import Azure
import FoundationEssentials
package import Platform
import SSHConfig

/// Walks every hop to a machine, in the order in which a connection meets them, and says of each
/// whether it is well. Stops at nothing: a hop that fails or cannot be seen is told, and the next
/// one is looked at; without Azure, with what an earlier run saw. Changes nothing.
package struct Doctor: Sendable {
  /// The connection that is looked into: its settings decide on address, port and source.
  let connect: Connect
  let isConfirmed: Bool
  private let tell: @Sendable (Finding) -> Void

  var world: World { connect.world }
  var options: SSHOptions { connect.options }

  /// - Parameter tell: takes each finding as soon as it is known.
  package init(
    _ connect: Connect, isConfirmed: Bool, tell: @escaping @Sendable (Finding) -> Void
  ) {
    self.connect = connect
    self.isConfirmed = isConfirmed
    self.tell = tell
  }

  /// - Returns: every finding, in the order of the way.
  /// - Throws: only where nothing at all can be looked at: a name that is none, an interruption.
  package func examine() async throws(Failure) -> [Finding] {
    var findings: [Finding] = []
    func note(_ more: [Finding]) {
      for finding in more { tell(finding) }
      findings += more
    }
    let target = try TargetQuery(options)
    let publicSource = Task { [self] in
      connect.lacksSource || options.jit.address == .private ? nil : await sources()
    }
    defer { publicSource.cancel() }

    // 1. Azure itself, and the machine
    var patient = Patient(port: options.port)
    note([await signIn(&patient)])
    note([try await find(target, &patient)])
    patient.take(await policies(patient))
    patient.port = port(patient)
    let seen = patient
    async let plan = plan(seen)
    async let paths = paths(seen)
    note(await permissions(seen))
    note([await plan, power(seen)] + interface(seen))

    // 2. just-in-time access: the policy, our address, the window, the rules that carry it out
    let source: Result<[SourcePrefix], Failure>
    if let known = await publicSource.value {
      source = known
    } else {
      source = await sources(towards: seen)
    }
    let mine = (try? source.get()) ?? []
    note(policy(seen) + [address(source)] + window(seen, mine))
    note(securityGroups(seen, await paths, mine))

    // 3. what lies around, and who answers
    note(await firewall(seen))
    note([await route(seen, mine.first)])
    note(await port(seen))
    if Task.isCancelled { throw Failure(.interrupted, what: "interrupted") }
    return findings
  }

  /// The port that a connection goes to, unless a firewall maps it.
  private func port(_ patient: Patient) -> Int {
    guard let machine = patient.machine, connect.isDesktop(machine), !connect.goesBehindSSH else {
      return options.port
    }
    return connect.desktopPort(patient.entry)
  }

  // MARK: Our own address

  /// Our public address, or what the user named.
  private func sources(
    towardsPrivate address: String? = nil
  ) async -> Result<[SourcePrefix], Failure> {
    await outcome { () async throws(Failure) in
      try await world.sources(
        options.jit, isConfirmed: isConfirmed, towardsPrivate: address)
    }
  }

  /// The address that the machine sees where that is not our public one: on a private network, or
  /// a jump host's.
  private func sources(towards patient: Patient) async -> Result<[SourcePrefix], Failure> {
    guard let machine = patient.machine else {
      return .failure(
        patient.refusal ?? Failure(.addressUnclear, what: "the virtual machine is not known"))
    }
    return await outcome { () async throws(Failure) in
      let address = try connect.address(of: machine, patient.entry)
      guard connect.lacksSource else {
        return try await sources(towardsPrivate: address).get()
      }
      if let refusal = patient.refusal { throw refusal }
      guard let azure = patient.azure,
        let jumpHost = try await connect.jumpHost(before: machine, azure)
      else { throw Failure(.addressUnclear, what: "the jump host is not known") }
      return [try connect.source(of: jumpHost, towards: address, of: machine)]
    }
  }

  // MARK: Commands to type

  /// A command of ours about the machine, narrowed as this one was.
  func command(_ words: String..., of patient: Patient, behind suffix: String = "") -> String {
    var all = ["jitconnect"] + words
    for (keyword, option) in [
      (JitKeyword.subscription, "--subscription"), (.cloud, "--cloud"), (.identity, "--identity"),
    ] where options.jit.isSpelledOut(keyword) {
      if let value = options.jit.text(keyword) { all += [option, value] }
    }
    return shellLine(all + [patient.shown + suffix])
  }
}
