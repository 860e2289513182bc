package import Azure
package import Platform
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A machine's entry as a file in the user's own editor.
package struct EntryEditor: Sendable {
  let world: World
  let machine: VirtualMachine

  package init(_ world: World, _ machine: VirtualMachine) {
    self.world = world
    self.machine = machine
  }

  /// Lets the user edit an entry until it is valid.
  ///
  /// - Parameter finish: does the work with it; where that fails, the file stays and is named.
  package func edit<Value: Sendable>(
    _ entry: JSONTree, _ finish: (JSONTree) async throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    guard let editor = command else {
      throw Failure(
        .usage, what: "nothing to change is named, and no editor can be started",
        why: "there is no terminal, and neither VISUAL nor EDITOR is set",
        next: "say what to change: jitconnect edit \(machine.name) --port 22:max=1h")
    }
    let file = try makeFile()
    var text = Self.header(machine, problems: []) + entry.indentedText
    do throws(Failure) {
      while true {
        let edited = try await run(editor, on: file, with: text)
        let (tree, problems) = Self.read(edited, for: machine.id)
        if let tree, problems.isEmpty {
          let value = try await finish(tree)
          remove(file)
          return value
        }
        // What was typed comes back with the reason on top.
        text = Self.header(machine, problems: problems) + Self.content(edited)
        try await askAgain(problems)
      }
    } catch {
      let isUntouched = (try? Files.read(file)).map { $0 == Array(text.utf8) } ?? true
      guard !isUntouched else {
        remove(file)
        throw error
      }
      var failure = error
      let kept = "what was typed is kept in \(file)"
      failure.why = failure.why.map { "\($0)\n\(kept)" } ?? kept
      throw failure
    }
  }

  // MARK: The file

  private static func header(_ machine: VirtualMachine, problems: [String]) -> String {
    var lines = [
      "What the policy of \(machine.name) (\(machine.resourceGroup)) allows. Lines that begin with #",
      "do not count. Durations are ISO 8601: PT30M, PT3H; at most P1D.",
    ]
    if !problems.isEmpty {
      lines += ["", "It cannot be written like this:"] + problems.map { "  \($0)" }
    }
    return lines.map { $0.isEmpty ? "#\n" : "# \($0)\n" }.joined()
  }

  /// Without the lines that do not count.
  static func content(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.hasPrefix("#") }.joined(separator: "\n")
  }

  static func read(_ text: String, for machine: ResourceID) -> (JSONTree?, [String]) {
    let content = content(text)
    guard !content.allSatisfy(\.isWhitespace) else { return (nil, ["the file is empty"]) }
    do {
      let tree = try JSONTree(parsing: Array(content.utf8))
      return (tree, PolicyEdit.problems(of: tree, for: machine))
    } catch {
      return (nil, ["it is not JSON: \(error)"])
    }
  }

  private func makeFile() throws(Failure) -> String {
    let base = world.environment["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
    var template = Array("\(base)/jitconnect.XXXXXX".utf8CString)
    // A folder of this user's alone: editors write their own copies beside the file.
    let folder = unsafe template.withUnsafeMutableBufferPointer { buffer -> String? in
      guard let name = buffer.baseAddress, unsafe mkdtemp(name) != nil else { return nil }
      return unsafe String(cString: name)
    }
    guard let folder else {
      throw Failure(
        .fileUnwritable, what: "cannot make a folder in \(base)", why: "\(SystemError.last)")
    }
    return folder + "/policy.json"
  }

  private func remove(_ file: String) {
    unsafe unlink(file)
    // Stays where the editor has left something in it.
    _ = unsafe rmdir(Files.parentDirectory(of: file))
  }

  // MARK: The editor

  /// `VISUAL`, `EDITOR`, or vi on a terminal.
  private var command: String? {
    world.environment["VISUAL"] ?? world.environment["EDITOR"]
      ?? (world.console.inputIsTerminal ? "vi" : nil)
  }

  private func run(
    _ editor: String, on file: String, with text: String
  ) async throws(Failure) -> String {
    do {
      try Files.replace(file, with: text.utf8)
      // As git does it: the variable may hold options.
      let process = ChildProcess(
        path: "/bin/sh", arguments: ["-c", "exec \(editor) \"$1\"", "sh", file],
        environment: world.environment.withoutSecrets)
      let ending = try await world.interrupts.paused {
        try await Blocking.run {
          let child = try process.start(
            input: STDIN_FILENO, output: STDOUT_FILENO, error: STDERR_FILENO)
          let ending = ChildProcess.wait(for: child)
          // A Ctrl-C in the editor was for the editor; another signal is for us.
          if Signals.arrived().contains(where: { [SIGTERM, SIGHUP].contains($0) }) {
            throw Failure(.interrupted, what: "interrupted", why: "nothing was written")
          }
          return ending
        }
      }
      guard ending == .exited(0) else {
        throw Failure(
          .programFailed, what: "the editor ended with an error, so nothing is written",
          why: "\(editor): \(ending)")
      }
      return String(decoding: try Files.read(file), as: UTF8.self)
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(.fileUnwritable, what: "cannot edit \(file)", why: "\(error)")
    }
  }

  private func askAgain(_ problems: [String]) async throws(Failure) {
    let text = problems.joined(separator: "\n")
    switch await world.ask({ $0.confirm("\(text)\nEdit again?") }) {
    case .given(true): return
    case .interrupted: throw Failure(.interrupted, what: "interrupted", why: "nothing was written")
    default:
      throw Failure(
        .policyInvalid, what: "the policy cannot be written like this", why: text,
        next: "jitconnect edit \(machine.name)")
    }
  }
}
