package import Platform
import SSHConfig
import Terminal

extension Connect {
  /// Failures whose cause the doctor may see.
  private static let puzzling: [Failure.Code] = [
    .windowTimeout, .windowRefused, .windowVanished, .hostUnreachable,
  ]

  /// Whether looking at every hop is offered after a failure.
  package func offersDoctor(after failure: Failure) -> Bool {
    Self.puzzling.contains(failure.code) && options.jit.isOn && world.background == nil
      && !commandLine.has(.stdio) && world.console.errorIsTerminal
  }

  /// Offers to look at every hop, on a terminal, when a connect has failed for no plain reason.
  package func offerDoctor(after failure: Failure) async {
    guard offersDoctor(after: failure),
      case .given(true) = await world.ask({ $0.confirm("Look at every hop?") })
    else { return }
    let console = world.console
    let doctor = Doctor(self, isConfirmed: false) { console.remark($0.lines) }
    // A signal ends the looking; a name that is none was told already.
    _ = try? await world.interrupts.during { try await doctor.examine() }
  }
}

extension Finding {
  /// For people: the state, the step, what was seen, and below it what mends it.
  package var lines: String {
    func padded(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(width - text.count, 0))
    }
    let word = state == .problem ? "WRONG" : state == .ok ? "ok" : "?"
    let first = "\(padded(word, 6))\(padded(check, 12))\(printable(text))"
    let more = details.map { "        \(printable($0))" }
    return ([first] + more + [next.map { "        next: \(printable($0))" }].compactMap(\.self))
      .joined(separator: "\n")
  }
}
