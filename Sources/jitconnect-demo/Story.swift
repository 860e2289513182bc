import AzureSimulator
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a newcomer should see, told step by step with the real program.
struct Story: ~Copyable {
  private struct Step {
    var text: String
    var arguments: [String]
    /// Nil is any but a failure of the program's own: a shell ends as its last command did.
    var expected: Int32? = 0
    var after: String?
  }

  /// Why the story ended early.
  private enum Ended: Error {
    case signal(Int32)
  }

  private let program: String
  private let stage: DemoStage
  private let hasTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1

  init(program: String, stage: consuming DemoStage) {
    self.program = program
    self.stage = stage
  }

  private var steps: [Step] {
    let ssh = [
      "-p", String(DemoStage.sshPort), "-i", stage.server.key, "-o",
      "StrictHostKeyChecking=accept-new",
    ]
    var steps = [
      Step(
        text: """
          web1 is a Linux VM whose ports are shut: its network security group lets
          nobody in, and it has no just-in-time policy yet. Without a terminal to ask
          on, or told --no-enable, jitconnect says so and changes nothing.
          """,
        arguments: ["--no-enable"] + ssh + ["web1", "uname -sr"], expected: 255),
      Step(
        text: """
          --enable creates the policy. Then jitconnect asks for a window of five
          minutes, for this machine's address and one port only, waits until the port
          answers, and runs the command over SSH.
          """,
        arguments: ["--enable"] + ssh + ["web1", "echo Hello from $(uname -sr)"]),
      Step(
        text: """
          The window is still open. A second connect uses it again: no look-up, no new
          request, straight to the session.
          """,
        arguments: ssh + ["web1", "echo Hello again"]),
    ]
    if hasTerminal {
      steps.append(
        Step(
          text: """
            Without a command it is a shell, as with ssh. This one is yours: look
            around, then type exit to go on.
            """, arguments: ssh + ["web1"], expected: nil))
    }
    steps.append(
      Step(
        text: """
          win1 is a Windows VM. The same steps, for port 3389, end in an .rdp file for
          the remote desktop client at hand.
          """, arguments: ["--enable", "win1"], after: "win1.rdp"))
    return steps
  }

  /// Tells it; the exit status.
  consuming func tell() throws -> Int32 {
    guard Files.kind(of: program, followingLinks: true)?.isRegular == true else {
      throw LoopbackSSHServer.Failed(description: "\(program) is not built: run make demo")
    }
    say(
      """
      This is jitconnect with a simulated Azure and a real SSH server, all on this
      machine. No account is used and nothing is kept.
      """)
    do throws(Ended) {
      for (index, step) in steps.enumerated() {
        say("\n\(index + 1). \(step.text)\n\n\(commandLine(step.arguments))\n")
        stage.simulator.resetReport()
        let status = try run(step.arguments)
        if let name = step.after { show(name) }
        say("\n   \(summary(status))")
        guard step.expected.map({ $0 == status }) ?? (status != 255) else {
          say(
            "\nThis is not how the story goes: exit status \(step.expected ?? 0) was expected.")
          return 1
        }
      }
    } catch {
      guard case .signal(let number) = error else { return 1 }
      say("\nEnded; everything is cleaned up.")
      return 128 + number
    }
    say("\nThat was it. The server is stopped and the files are gone.")
    return 0
  }

  /// The command as one would type it, broken at 80 columns.
  private func commandLine(_ arguments: [String]) -> String {
    var words: [String] = []
    for argument in arguments {
      let shown = argument == stage.server.key ? "id_demo" : argument
      let isPlain = shown.allSatisfy { $0.isLetter || $0.isNumber || "-_./=:@".contains($0) }
      let word = isPlain ? shown : "'\(shown)'"
      // An option stays beside its value.
      if let last = words.last, ["-p", "-i", "-o"].contains(last) {
        words[words.count - 1] += " " + word
      } else {
        words.append(word)
      }
    }
    var lines = ["   $ jitconnect"]
    for word in words {
      if (lines.last?.count ?? 0) + word.count + 3 > 80 {
        lines[lines.count - 1] += " \\"
        lines.append("       \(word)")
      } else {
        lines[lines.count - 1] += " " + word
      }
    }
    return lines.joined(separator: "\n")
  }

  private func summary(_ status: Int32) -> String {
    let report = stage.simulator.report
    let calls = report.count(.arm, .graph)
    let others = report.calls.count - calls
    return "[exit status \(status); Azure was asked \(calls) \(calls == 1 ? "time" : "times")"
      + (others > 0 ? ", sign-in and address services \(others)" : "") + "]"
  }

  /// Shows the .rdp file that the program left in its folder: UTF-16, little-endian, with its mark.
  private func show(_ name: String) {
    let path = "\(stage.folder.path)/work/\(name)"
    guard let bytes = try? Files.read(path) else { return }
    let units = stride(from: 2, to: bytes.count - 1, by: 2).map {
      UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
    }
    let text = String(decoding: units, as: UTF16.self)
    say("")
    for line in text.split(whereSeparator: \.isNewline).prefix(8) { say("   | \(line)") }
    say("   | …")
  }

  /// Runs the program on this terminal to its end.
  private func run(_ arguments: [String]) throws(Ended) -> Int32 {
    let child: Int32
    let finished: (read: Int32, write: Int32)
    do throws(SystemError) {
      finished = try makePipe()
      child = try ChildProcess(
        path: program, arguments: arguments, environment: stage.variables,
        directory: stage.folder.path + "/work"
      ).start(input: STDIN_FILENO, output: STDOUT_FILENO, error: STDERR_FILENO)
    } catch {
      say("jitconnect cannot be started: \(error)", to: STDERR_FILENO)
      return -1
    }
    startThread {
      let ending = ChildProcess.wait(for: child)
      let status: UInt8
      switch ending {
      case .exited(let number): status = UInt8(truncatingIfNeeded: number)
      case .signalled(let signal): status = UInt8(truncatingIfNeeded: 128 + signal)
      case .timedOut: status = 255
      }
      try? writeAll(finished.write, [status])
    }
    defer {
      close(finished.read)
      close(finished.write)
    }
    var polls = [
      pollfd(fd: finished.read, events: Int16(POLLIN), revents: 0),
      pollfd(fd: Signals.pipe() ?? -1, events: Int16(POLLIN), revents: 0),
    ]
    var stopping: Int32?
    while true {
      // A program that does not heed the signal is ended for good after three seconds.
      let count = unsafe poll(&polls, 2, stopping == nil ? -1 : 3000)
      if count == 0 {
        kill(child, SIGKILL)
        stopping = stopping ?? SIGTERM
      }
      if polls[1].revents != 0, let signal = Signals.arrived().first {
        stopping = signal
        kill(child, signal == SIGINT ? SIGINT : SIGTERM)
      }
      if polls[0].revents != 0 {
        let status = (try? readSome(finished.read, limit: 1))?.first ?? 255
        if let stopping { throw .signal(stopping) }
        return Int32(status)
      }
    }
  }
}
