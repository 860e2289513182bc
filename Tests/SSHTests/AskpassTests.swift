import Platform
import Testing

@testable import SSH

@Suite struct AskpassTests {
  @Test("the program is not given the secrets of sign-ins")
  func secrets() throws {
    for program in ["/bin/sh", "sh"] {
      let environment = Environment(
        variables: [
          "SSH_ASKPASS": program, "SSH_ASKPASS_REQUIRE": "force", "PATH": "/bin",
          "AZURE_CLIENT_SECRET": "x", "IDENTITY_HEADER": "x", "KEPT": "y",
        ], home: nil)
      let chosen = try #require(Askpass.chosen(environment, hasTerminal: true))
      #expect(
        chosen.environment
          == environment.variables.filter {
            $0.key != "AZURE_CLIENT_SECRET" && $0.key != "IDENTITY_HEADER"
          })
    }
  }

  // Variables, whether there is a terminal, whether the program is asked.
  static let table: [(variables: [String: String], hasTerminal: Bool, isChosen: Bool)] = [
    ([:], true, false), ([:], false, false),
    (["DISPLAY": ":0"], true, false), (["DISPLAY": ":0"], false, true),
    (["WAYLAND_DISPLAY": "w"], false, true),
    (["SSH_ASKPASS_REQUIRE": "force"], true, true),
    (["SSH_ASKPASS_REQUIRE": "Force"], false, true),
    (["SSH_ASKPASS_REQUIRE": "prefer"], true, false),
    (["SSH_ASKPASS_REQUIRE": "prefer", "DISPLAY": ":0"], true, true),
    (["SSH_ASKPASS_REQUIRE": "never", "DISPLAY": ":0"], false, false),
  ]

  @Test("ssh's rules choose between the terminal and the program", arguments: table.indices)
  func choice(index: Int) {
    let row = Self.table[index]
    let environment = Environment(
      variables: row.variables.merging(["SSH_ASKPASS": "/x"]) { a, _ in a }, home: nil)
    let chosen = Askpass.chosen(environment, hasTerminal: row.hasTerminal)
    #expect((chosen != nil) == row.isChosen)
  }

  @Test("the program's first line is the answer; its failure is none")
  func answer() throws {
    let folder = try TestFolder.make()
    defer { TestFolder.remove(folder) }
    let script = "#!/bin/sh\n[ \"$1\" = 'Question: ' ] && printf 'right horse\\nmore\\n'\n"
    try write(script, to: "\(folder)/ask", mode: 0o700)
    let prompts = Askpass(program: "\(folder)/ask", environment: [:]).prompts
    #expect(try prompts.secret("Question: ")?.exposedText == "right horse")
    #expect(try prompts.line("Question: ") == "right horse")
    #expect(try prompts.secret("Other: ") == nil)
  }

  @Test("the picture of a key is ssh-keygen's", arguments: ["ed25519", "ecdsa", "rsa"])
  func randomArt(kind: String) throws {
    let folder = try TestFolder.make()
    defer { TestFolder.remove(folder) }
    try keygen(kind, to: "\(folder)/key")
    let line = try #require(PublicKeyLine(file: "\(folder)/key.pub"))
    let theirs = try runProgram("ssh-keygen", ["-lvf", "\(folder)/key.pub"])
    #expect(theirs.contains(HostKey(blob: line.blob).randomArt))
  }
}
