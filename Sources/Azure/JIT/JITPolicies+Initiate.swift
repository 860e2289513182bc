import FoundationEssentials
package import Platform

extension JITPolicies {
  /// Asks for access.
  ///
  /// A second call would make a second request, so it is made once; where its answer is lost, the
  /// policy tells whether it was heard.
  ///
  /// - Throws: `policy-forbids-request`, `policy-forbids-duration`, `defender-plan-missing`,
  ///   `address-not-ipv4`, `jit-not-enabled` (the policy is not there), or what every call may give.
  package func initiate(
    _ policy: ResourceID, _ request: AccessRequest
  ) async throws(Failure) -> JITRequest {
    let body = try request.body()
    let names = request.machines.map(\.id.name).joined(separator: ", ")
    let begun = client.pacing.elapsed()
    do throws(Failure) {
      let answer = try await client.post(
        policy.text + "/initiate", .jitPolicies, body: body,
        purpose: "request access to \(printable(names, limit: 200))")
      guard let tree = try? answer.json(), case .object = tree else {
        throw answer.invalid("the answer is not JSON")
      }
      return JITRequest(tree: tree, serverDate: answer.serverDate)
    } catch {
      var failure = Self.explain(error, policy).naming(request.machines.first?.id)
      if let machine = request.machines.first?.id.text {
        switch failure.code {
        case .jitNotEnabled: failure.next = "jitconnect enable \(machine)"
        case .policyForbidsRequest:
          failure.next = "see what the policy allows: jitconnect status \(machine)"
        default: break
        }
      }
      // An answer that cannot be read, or none: Azure may have acted on the request.
      guard [.networkFailed, .azureUnavailable, .azureAnswerInvalid].contains(failure.code),
        !failure.connectionWasNotMade, let found = await heard(policy, request, since: begun)
      else { throw failure }
      return found
    }
  }

  /// The request in the policy, if Azure took it; looked for a few times, since Azure needs some
  /// seconds for an answer.
  private func heard(
    _ policy: ResourceID, _ request: AccessRequest, since begun: Duration
  ) async -> JITRequest? {
    for pause in [0, 2, 3] {
      if pause > 0 {
        do throws(Failure) { try await client.pacing.pause(.seconds(pause)) } catch { return nil }
      }
      guard let current = try? await get(policy) else { return nil }
      // By Azure's clock, which may tell nothing; a request of the last two minutes for the same is
      // as good.
      let now = client.now
      let earliest = now - 120 - (client.pacing.elapsed() - begun).inSeconds
      let found = current.requests
        .filter { ($0.start ?? .distantPast) >= earliest && Self.covers($0, request, at: now) }
        .max { ($0.start ?? .distantPast) < ($1.start ?? .distantPast) }
      if let found { return found }
    }
    return nil
  }

  /// Whether a request in a policy grants all that is asked for, from the same sources.
  private static func covers(_ candidate: JITRequest, _ request: AccessRequest, at now: Date)
    -> Bool
  {
    request.machines.allSatisfy { machine in
      machine.ports.allSatisfy { port in
        candidate.machines.contains { entry in
          entry.id == machine.id
            && entry.ports.contains {
              $0.number == port.number && $0.isLive(at: now) && Set($0.sources) == Set(port.sources)
            }
        }
      }
    }
  }

  /// Whether a 404 is the policy's: the subscription and the group have codes of their own, which
  /// say what is gone.
  private static func isAboutPolicy(_ code: String?) -> Bool {
    [Assumptions.policyNotFound.lowercased(), "resourcenotfound", "notfound"].contains(code ?? "")
  }

  /// Puts what is known of the JIT service over a general refusal.
  static func explain(_ failure: Failure, _ policy: ResourceID) -> Failure {
    var failure = failure
    guard let status = failure.httpStatus, (400..<600).contains(status) else { return failure }
    if mentions(failure.why, Assumptions.notOnboarded) {
      failure.code = .defenderPlanMissing
      failure.what = "the subscription has no Microsoft Defender for Servers Plan 2"
      failure.next =
        "turn the plan on (it costs money): az security pricing create --name VirtualMachines "
        + "--tier Standard --subplan P2 --subscription \(policy.subscription)"
    } else if mentions(failure.why, Assumptions.notASubset) {
      failure.code = .policyForbidsRequest
    } else if mentions(failure.why, Assumptions.ipv6Source) {
      failure.code = .addressNotIPv4
      failure.next = "name an IPv4 address with --source"
    } else if status == 404, isAboutPolicy(failure.serviceCode) {
      failure.code = .jitNotEnabled
      failure.what = "the just-in-time policy \(policy.name) is not there any more"
    } else if status == 404 {
      failure.next = "see what is in sight: jitconnect list"
    } else if status == 400, mentions(failure.why, Assumptions.durationWord),
      !mentions(failure.why, Assumptions.otherDurationWord)
    {
      failure.code = .policyForbidsDuration
    }
    return failure
  }
}
