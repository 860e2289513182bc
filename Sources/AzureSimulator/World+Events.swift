/// What happens by itself.
extension World {
  /// Carries out all events that are due, each as at its own time; returns when the next one is.
  mutating func settle() -> Instant? {
    while let event = events.first, event.due <= now {
      events.removeFirst()
      happen(event)
    }
    return events.first?.due
  }

  private mutating func happen(_ event: ScheduledEvent) {
    switch event.action {
    case .policyReady(let key, let change):
      guard policies[key]?.change == change else { return }
      policies[key]?.provisioningState = "Succeeded"
    case .denyRules(let key, let dropped): renewDenyRules(of: key, alsoFor: dropped)
    case .requestInitiated(let key, let number):
      let outcome = behaviour.requestsEndAs ?? ("Initiated", "UserRequested")
      changePorts(of: number, in: key) { port in
        guard port.status == "Initiating" else { return }
        port.status = outcome.status
        port.reason = outcome.reason
      }
    case .rulesAppear(let key, let number):
      addAllowRules(policy: key, request: number, at: event.due)
    case .windowEnds(let key, let number):
      changePorts(of: number, in: key) { port in
        guard port.end <= event.due, port.status.hasPrefix("Initiat") else { return }
        port.status = "Revoked"
        port.reason = "Expired"
      }
      if !behaviour.keepsRules {
        schedule(.rulesGo(policy: key, request: number), at: event.due + behaviour.closingDelay)
      }
    case .rulesGo(let key, let number):
      removeAllowRules(policy: key, request: number)
    case .power(let key, let power):
      machines[key]?.power = power
    }
  }

  mutating func changePorts(
    of number: Int, in key: String, _ change: (inout AccessRequest.Port) -> Void
  ) {
    guard let index = policies[key]?.requests.firstIndex(where: { $0.number == number }) else {
      return
    }
    policies[key]?.requests[index].changePorts(change)
  }
}
