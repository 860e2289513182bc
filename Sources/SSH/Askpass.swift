package import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Questions through a program of the user's (`SSH_ASKPASS`) instead of the terminal.
package struct Askpass: Sendable {
  /// An absolute path.
  package var program: String
  package var environment: [String: String]

  package init(program: String, environment: [String: String]) {
    self.program = program
    self.environment = environment
  }

  /// The program that ssh's rules choose; nil asks at the terminal, or not at all.
  ///
  /// `SSH_ASKPASS_REQUIRE` force always takes it, never never; prefer takes it where there is a
  /// display; else it serves where there is a display and no terminal.
  package static func chosen(_ environment: Environment, hasTerminal: Bool) -> Askpass? {
    let hasDisplay = environment["DISPLAY"] != nil || environment["WAYLAND_DISPLAY"] != nil
    let isChosen =
      switch environment["SSH_ASKPASS_REQUIRE"]?.lowercased() {
      case "force": true
      case "never": false
      case "prefer": hasDisplay
      default: hasDisplay && !hasTerminal
      }
    guard isChosen else { return nil }
    let program = environment["SSH_ASKPASS"] ?? "/usr/bin/ssh-askpass"
    guard program.hasPrefix("/") else {
      return ChildProcess.find(program, in: environment).map {
        Askpass(program: $0, environment: environment.withoutSecrets)
      }
    }
    return Askpass(program: program, environment: environment.withoutSecrets)
  }

  /// Prompts that ask this program; cancelling there is "not possible".
  package var prompts: Prompts {
    Prompts(
      line: { question throws(Failure) in try ask(question)?.exposedText },
      secret: { question throws(Failure) in try ask(question) },
      permission: { question throws(Failure) in
        // ssh's word to the program that there are only yes and no.
        guard let answer = try ask(question, hint: "confirm")?.exposedText else { return false }
        return answer.isEmpty || answer.lowercased() == "yes"
      })
  }

  private func ask(_ question: String, hint: String? = nil) throws(Failure) -> SecretBytes? {
    var variables = environment
    variables["SSH_ASKPASS_PROMPT"] = hint
    let process = ChildProcess(path: program, arguments: [question], environment: variables)
    do throws(SystemError) {
      var output = try process.run(timeout: .seconds(600), limit: 1024, wake: Signals.pipe())
      defer { overwrite(&output.standardOutput) }
      guard output.ending == .exited(0) else { return nil }
      var line = Array(output.standardOutput.prefix { $0 != 0x0A && $0 != 0x0D })
      return SecretBytes(taking: &line)
    } catch {
      if error.number == EINTR { throw Failure(.interrupted, what: "interrupted at a question") }
      return nil
    }
  }
}
