import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Odd places to run in.
@Suite(.limited) struct FlowSurroundingsTests {
  @Test("folders that cannot be written: it connects all the same, and remembers nothing")
  func unwritable() async throws {
    let stage = try await Stage.ssh()
    // No folder can be made beneath a file, not even by the superuser.
    try stage.write("work/file", "")
    let nowhere = stage.folder + "/work/file/below"
    let changes: [String: String?] = [
      "HOME": nowhere, "XDG_CONFIG_HOME": nowhere, "XDG_CACHE_HOME": nowhere,
      "XDG_STATE_HOME": nowhere,
    ]
    for _ in 0..<2 {
      let run = try await stage.connect(environment: changes)
      #expect(run.status == 0, "\(run.error)")
      #expect(run.text == "hello\n")
    }
  }

  @Test(
    "a folder without write permission does no harm",
    .enabled(if: geteuid() != 0, "the superuser may write anywhere"))
  func readOnly() async throws {
    let stage = try await Stage.ssh()
    for name in ["state", "cache"] { #expect(unsafe chmod("\(stage.folder)/\(name)", 0o500) == 0) }
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("no HOME, an empty one, a relative one: XDG's folders do", arguments: [nil, "", "home"])
  func home(value: String?) async throws {
    let stage = try await Stage.ssh()
    let run = try await stage.connect(environment: ["HOME": value])
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.fileProblems.isEmpty)
    #expect(stage.writtenFiles.contains { $0.hasPrefix("state/jitconnect/") })
  }

  @Test(
    "a HOME that is somebody else's is not written to",
    .enabled(if: geteuid() == 0, "only the superuser can give a folder away"))
  func foreignHome() async throws {
    let stage = try await Stage.ssh()
    try Files.makeDirectory(stage.folder + "/home/.ssh")
    try stage.write("home/.ssh/config", "Port 1\nUser somebody-else\n")
    #expect(unsafe chown(stage.folder + "/home", 65534, 65534) == 0)
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(stage.writtenFiles.filter { $0.hasPrefix("home/") } == ["home/.ssh/config"])
  }

  @Test("closed standard descriptors", arguments: ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
  func closed(redirection: String) async throws {
    let stage = try await Stage.ssh()
    let script = "exec \"$@\" \(redirection)"
    let running = try Running(
      ["-c", script, "sh", Binary.path] + stage.options() + ["web1", "echo hello; exit 7"],
      of: "/bin/sh", environment: stage.environment, directory: stage.folder + "/work")
    let run = try await running.finish()
    #expect(run.status == 7, "\(run.error)")
    if !redirection.contains(">&- ") && redirection != ">&-" { #expect(run.text == "hello\n") }
    // Nothing was written into a file that took a closed descriptor's number.
    #expect(stage.fileProblems.isEmpty)
  }

  @Test("what is printed on a terminal of 80 columns fits, line by line")
  func width() async throws {
    let stage = try await Stage.ssh(hasPolicy: false)
    let terminal = try stage.terminal(
      ["--enable", "-o", "LogLevel=ERROR"] + stage.options() + ["web1", "echo hello"])
    #expect(try await terminal.end() == .exited(0), "\(terminal.screen)")
    for line in terminal.screen.split(separator: "\n") {
      let shown = Self.withoutEscapes(String(line))
      // The real port 22 has three digits fewer.
      #expect(shown.count <= 83, "\(shown)")
    }
    #expect(terminal.screen.contains("hello"))
    #expect(!terminal.screen.contains("Permanently added"), "LogLevel=ERROR hides it, as in ssh")
  }

  private static func withoutEscapes(_ line: String) -> String {
    var result = ""
    var isEscape = false
    for character in line {
      if character == "\u{1B}" {
        isEscape = true
      } else if isEscape {
        if character.isLetter {
          // What erases the line begins it anew.
          if character == "K" { result = "" }
          isEscape = false
        }
      } else {
        result.append(character)
      }
    }
    return result
  }

  @Test("started under the name ssh it has no verbs and says ssh")
  func named() async throws {
    let stage = try await Stage.greeting()
    let link = stage.folder + "/work/ssh"
    #expect(unsafe symlink(Binary.path, link) == 0)
    let running = try Running(
      ["list"], of: link, environment: stage.environment, directory: stage.folder + "/work")
    let run = try await running.finish()
    #expect(run.status == 255)
    #expect(run.error.hasPrefix("ssh: error[vm-not-found]"), "\(run.error)")
  }

  @Test("a VM that is named like a verb is reached by ssh and by --", arguments: [["ssh"], ["--"]])
  func verbNames(prefix: [String]) async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(prefix + ["list"])
    #expect(run.code == "vm-not-found", "\(run.error)")
  }

  @Test("--unknown-host ssh reaches what is no Azure VM as ssh would")
  func unknownHost() async throws {
    let stage = try await Stage.ssh()
    let server = try #require(stage.server)
    let run = try await stage.run([
      "--unknown-host", "ssh", "-p", String(server.port), "-i", server.key, "-o",
      "StrictHostKeyChecking=accept-new", "-o", "HostName=127.0.0.1", "elsewhere", "echo hello",
    ])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    #expect(stage.requests.isEmpty)
  }
}
