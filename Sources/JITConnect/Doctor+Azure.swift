import Azure
import Identity
import Platform
import SSHConfig

/// Azure itself: who is signed in, and what the machine is.
extension Doctor {
  /// Failures after which no other call would fare better.
  private static let endings: [Failure.Code] = [
    .signInNeeded, .signInRefused, .tokenStoreUnavailable, .cloudUnknown, .networkFailed,
  ]

  func signIn(_ patient: inout Patient) async -> Finding {
    do throws(Failure) {
      let azure = try await AzureAccess(world, options.jit)
      patient.azure = azure
      let all = try await azure.directory.subscriptions()
      guard !all.isEmpty else {
        return .problem(
          "sign-in", "signed in to \(azure.cloud.name), but no subscription is in sight",
          [await account(azure).map { "as \($0)" }].compactMap(\.self),
          next: "ask for a role on the subscription, or sign in to its tenant: az login --tenant …")
      }
      let count = all.count == 1 ? "1 subscription" : "\(all.count) subscriptions"
      let who = await account(azure).map { " as \($0)" } ?? ""
      return .ok("sign-in", "signed in to \(azure.cloud.name)\(who); \(count) in sight")
    } catch {
      if patient.azure == nil || Self.endings.contains(error.code) { patient.refusal = error }
      var finding = Finding("sign-in", error)
      if patient.refusal != nil { finding.state = .problem }
      return finding
    }
  }

  /// The machine that is meant: as Azure says, else as it was seen last.
  func find(_ target: TargetQuery, _ patient: inout Patient) async throws(Failure) -> Finding {
    let memory = Memory(
      world.environment, cloud: patient.azure?.cloud.name ?? "", clock: world.clock)
    let known = memory.recall(target) ?? memory.recallByName(target)
    guard let azure = patient.azure, patient.refusal == nil else {
      remember(known, target, &patient)
      return patient.unseen("vm", lastSeen(patient))
    }
    if let machine = known?.machine { azure.directory.remember(machine) }
    do throws(Failure) {
      if case .id(let id) = target.name {
        patient.machine = try await azure.directory.get(id, known: known?.machine)
      } else {
        let search = MachineSearch(world, azure, options.jit, command: "jitconnect doctor")
        let found = try await search.find(target).machine
        // Resource Graph's word may be minutes old, and is better than none.
        patient.machine = found
        patient.machine = try await azure.directory.get(found.id, known: found)
      }
    } catch {
      if error.code == .interrupted { throw error }
      patient.gap = error
      var finding = Finding("vm", error)
      if patient.machine == nil, error.code != .vmAmbiguous {
        remember(known, target, &patient)
        if let known, !Self.endings.contains(error.code),
          let machine = try? await azure.directory.get(known.machine.id, known: known.machine)
        {
          // Only the look-up failed.
          (patient.machine, patient.gap) = (machine, nil)
        }
      }
      if patient.machine == nil || Self.endings.contains(error.code) { patient.refusal = error }
      finding.details += lastSeen(patient)
      return finding
    }
    let machine = patient.machine
    return .ok("vm", "\(machine?.name ?? "") is \(machine?.id.text ?? "")")
  }

  private func remember(
    _ known: Memory.Machine?, _ target: TargetQuery, _ patient: inout Patient
  ) {
    patient.machine = known?.machine
    patient.remembered = known?.policy
    if patient.machine == nil, case .id(let id) = target.name,
      id.isType(ResourceID.virtualMachineType)
    {
      patient.machine = VirtualMachine(id: id, location: "")
    }
  }

  /// Who is signed in, as az names it; the token is there already.
  func account(_ azure: AzureAccess) async -> String? {
    try? await azure.tokens.token(for: TokenRequest(scope: azure.cloud.tokenScope)).account
  }

  private func lastSeen(_ patient: Patient) -> [String] {
    guard let machine = patient.machine else { return [] }
    return ["going on with what is known of \(machine.id.text)"]
  }

  // MARK: What is known of it

  func plan(_ patient: Patient) async -> Finding {
    guard let (azure, machine) = patient.subject else { return patient.unseen("plan") }
    do throws(Failure) {
      switch try await azure.policies.plan(of: machine.id) {
      case .on: return .ok("plan", "Defender for Servers Plan 2 is on")
      case .partly, .off:
        return .problem(
          "plan", "Defender for Servers Plan 2 is off, which just-in-time access is part of",
          ["it costs money for every machine of the subscription"],
          next: shellLine([
            "az", "security", "pricing", "create", "--subscription", machine.subscriptionID,
            "--name", "VirtualMachines", "--tier", "Standard", "--subplan", "P2",
          ]))
      }
    } catch  where error.code == .notFound {
      // "Off" is told by a plan's answer; that there is none tells nothing.
      return .unknown("plan", error.what, Finding.lines(of: error))
    } catch {
      return Finding("plan", error)
    }
  }

  func power(_ patient: Patient) -> Finding {
    guard let machine = patient.machine else { return patient.unseen("power") }
    if let gap = patient.refusal ?? patient.gap {
      let state = machine.powerState.map { ["it was \($0) when it was seen last"] } ?? []
      return .unseen("power", gap, state)
    }
    guard let state = machine.powerState else {
      return .unknown("power", "Azure does not tell its state", ["as right after its creation"])
    }
    if machine.mayRun { return .ok("power", "it is \(state)") }
    return .problem("power", "it is \(state)", next: command("--start", of: patient))
  }

  func interface(_ patient: Patient) -> [Finding] {
    guard let machine = patient.machine else { return [patient.unseen("nic")] }
    let all = machine.addresses.map { address in
      let texts = [
        address.privateIPv4.map { "private \($0)" }, address.publicIPv4.map { "public \($0)" },
      ].compactMap(\.self)
      return "\(address.networkInterface.name): "
        + (texts.isEmpty ? "no address" : texts.joined(separator: ", "))
    }
    if let gap = patient.refusal ?? patient.gap {
      return [.unseen("nic", gap, all.map { "seen last: \($0)" })]
    }
    let unread =
      machine.unread.isEmpty
      ? []
      : [
        Finding.unknown(
          "nic", "not all of its addresses could be read", machine.unread + rights(machine))
      ]
    guard let first = all.first else {
      return unread.isEmpty ? [.problem("nic", "it has no network interface with IPv4")] : unread
    }
    return [.ok("nic", first, Array(all.dropFirst()))] + unread
  }

  /// What reading its interfaces and addresses takes.
  private func rights(_ machine: VirtualMachine) -> [String] {
    [
      machine.unreadInterfaces.isEmpty ? nil : AzureAction.readInterface,
      machine.unread.count > machine.unreadInterfaces.count ? AzureAction.readPublicAddress : nil,
    ].compactMap(\.self).map(roleText)
  }

  /// "the role Reader has Microsoft.Network/networkInterfaces/read".
  func roleText(_ action: AzureAction) -> String {
    action.role.map { "the role \($0) has \(action)" } ?? "it takes \(action)"
  }
}
