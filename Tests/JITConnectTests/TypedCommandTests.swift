import SSHConfig
import Testing

@testable import JITConnect

/// A command that is shown to be typed again is what was typed, with one thing changed.
@Suite struct TypedCommandTests {
  private func typed(_ words: String...) throws -> TypedCommand {
    TypedCommand(words.map { Array($0.utf8) }, try SSHCommandLine.parse(words))
  }

  @Test("user, options and command stay; the option comes first")
  func option() throws {
    let command = try typed("-p", "80", "-v", "root@web1", "-A", "echo", "a b")
    #expect(
      command.text(adding: "--start") == "jitconnect --start -p 80 -v root@web1 -A echo 'a b'")
  }

  @Test("what was typed for the same goes")
  func replaced() throws {
    let port = try typed("-v", "-p", "80", "web1")
    #expect(port.text(adding: "-p", "22") == "jitconnect -p 22 -v web1")
    #expect(try typed("--no-start", "web1").text(adding: "--start") == "jitconnect --start web1")
    #expect(
      try typed("--source=10.0.0.1", "web1").text(adding: "--source", "ADDRESS")
        == "jitconnect --source ADDRESS web1")
  }

  @Test("another machine takes the name's place, and the group's option goes")
  func machine() throws {
    let command = try typed("--resource-group", "x", "--for", "1h", "ada@web1", "uptime")
    #expect(
      command.text(for: "rg(1)/web1", insteadOf: nil)
        == "jitconnect --for 1h 'ada@rg(1)/web1' uptime")
    #expect(
      command.text(for: "rg/web1", insteadOf: "other")
        == "jitconnect -o JitVM=rg/web1 --resource-group x --for 1h ada@web1 uptime")
  }

  @Test("a port in a URI stays, before another one that is named")
  func uri() throws {
    let command = try typed("ssh://ada@web1:2222")
    #expect(command.text(adding: "--enable") == "jitconnect --enable -p 2222 ada@web1")
    #expect(command.text(adding: "-p", "22") == "jitconnect -p 22 ada@web1")
  }

  @Test(
    "a command of a program's is not shown",
    arguments: ["a\nb", String(repeating: "x", count: 201)])
  func program(command: String) throws {
    #expect(
      try typed("web1", "-T", command).text(adding: "--start") == "jitconnect --start web1 -T …")
  }
}
