import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What stands at the cursor, asked of the program and of real shells.
@Suite(.limited) struct CompletionTests {
  /// 5,000 machines in forty groups, as an earlier refresh has kept them.
  private func stage(machines: Int = 5000) async throws -> Stage {
    let stage = try await Stage.greeting()
    var lines = ["jitconnect-names 1"]
    for number in 0..<machines {
      let group = "rg-\(number % 40 + 10)"
      lines.append("m\tweb\(10000 + number)\t\(group)\t00000000-0000-0000-0000-000000000001")
    }
    lines.append("m\tdb\trg-10\t00000000-0000-0000-0000-000000000001")
    lines.append("s\t00000000-0000-0000-0000-000000000001\tPay As You Go")
    try stage.write("cache/jitconnect/names", lines.joined(separator: "\n") + "\n")
    try stage.write("home/.ssh/config", "Host bastion *.example\nHost = other\n")
    try stage.write("home/.ssh/id_test", "key")
    try stage.write("home/.ssh/id_test.pub", "key")
    return stage
  }

  private func complete(_ stage: Stage, _ words: [String]) async throws -> [String] {
    let run = try await stage.run(["--complete", "zsh"] + words)
    #expect(run.status == 0)
    #expect(run.error == "")
    return run.text.split(separator: "\n")
      .map { $0.split(separator: "\t", omittingEmptySubsequences: false)[0] }
      .map { $0.hasSuffix(" ") ? String($0.dropLast()) : $0 + "…" }
  }

  @Test(
    "the words that may stand at the cursor",
    arguments: [
      // verbs, machines, hosts of the configuration
      (["stat"], ["status"]),
      (["web149"], (14900...14999).map { "web\($0)" }),
      (["rg-12/web1004"], ["rg-12/web10042"]),
      (["azureuser@d"], ["azureuser@db"]),
      (["-J", "a@db,b@d"], ["a@db,b@db"]),
      (["bas"], ["bastion"]), (["oth"], ["other"]), (["WEB14999"], ["web14999"]),
      (["rg-1"], (10...19).map { "rg-\($0)/…" }),
      (["ssh", "stat"], []), (["--", "d"], ["db"]),
      // options, and where none may stand
      (["--sourc"], ["--source"]), (["--source=a"], ["--source=auto", "--source=any"]),
      (["--source", "an"], ["any"]), (["--enable", "d"], ["db"]),
      (["--subscription", "Pay"], ["Pay As You Go"]), (["--resource-group", "rg-49"], ["rg-49"]),
      (["--cloud", "AzureU"], ["AzureUSGovernment"]), (["db", "--no-ji"], ["--no-jit"]),
      (["db", "uptime", "--no-ji"], []), (["db", "w"], []), (["-p", "d"], []),
      (["-vp", "d"], []), (["-vp22", "d"], ["db"]),
      (["-oJitReas"], ["-oJitReason=…"]), (["-o", "jitentra=y"], ["jitentra=yes"]),
      (["-c", "aes128-ctr,aes256-c"], ["aes128-ctr,aes256-ctr"]),
      (["-i", "%HOME%/.ssh/id"], ["%HOME%/.ssh/id_test", ":files…"]),
      (["-F", ""], [":files…"]),
      // verbs have their own
      (["status", "d"], ["db"]), (["status", "--js"], ["--json"]),
      (["status", "-o", "JitCloud=AzureC"], ["JitCloud=AzureCloud", "JitCloud=AzureChinaCloud"]),
    ])
  func words(typed: [String], expected: [String]) async throws {
    let stage = try await stage()
    let home = stage.folder + "/home"
    let typed = typed.map { $0.replacing("%HOME%", with: home) }
    let expected = expected.map { $0.replacing("%HOME%", with: home) }
    #expect(try await complete(stage, typed) == expected)
  }

  @Test("every letter of ssh's is offered, with a few words on it")
  func letters() async throws {
    let stage = try await stage(machines: 0)
    let letters = try await complete(stage, ["-"])
    let ssh = "46AaBbCcDEeFfGgIiJKkLlMmNnOoPpQqRSsTtVvWwXxYy"
    #expect(letters == ssh.map { "-\($0)" })
  }

  @Test("names that are old are brought up to date by a process of its own")
  func refresh() async throws {
    let stage = try await Stage.greeting()
    #expect(try await !complete(stage, ["we"]).contains("web1"))
    let deadline = ContinuousClock.now + .seconds(60)
    while stage.read("cache/jitconnect/names") == nil, ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(try await complete(stage, ["we"]) == ["web1"])
    #expect(try await complete(stage, ["--subscription", ""]) != [])
    for name in ["names", "names.tried", "names.lock"] {
      #expect(Files.kind(of: stage.folder + "/cache/jitconnect/" + name)?.mode == 0o600)
    }
    // Young names are left alone.
    #expect(stage.count("POST", "Microsoft.ResourceGraph") == 1)
  }

  @Test("what a name holds never runs: bash gets it quoted as the line is")
  func quoting() async throws {
    let stage = try await Stage.greeting()
    let name = #"Prod a'"$(touch ran)`touch ran`!x;\"#
    try stage.write(
      "cache/jitconnect/names", "jitconnect-names 1\ns\t1\t\(name)\n")
    for (line, quoted) in [
      ("jitconnect --subscription Pro", #"Prod\ a\'\"\$\(touch\ ran\)\`touch\ ran\`\!x\;\\"#),
      ("jitconnect --subscription 'Pro", #"Prod a'\''"$(touch ran)`touch ran`!x;\"#),
      ("jitconnect --subscription \"Pro", #"Prod a'\"\$(touch ran)\`touch ran\`"'!'"x;\\"#),
    ] {
      let run = try await stage.run(["--complete", "bash", line])
      #expect(run.text == quoted + " \n")
      // bash itself makes the same name of it again.
      let quote = line.contains("'") ? "'" : line.contains("\"") ? "\"" : ""
      let shown = try await Running(
        ["-c", "printf %s \(quote)\(quoted)\(quote)"], of: "/bin/bash",
        environment: stage.environment, directory: stage.folder + "/work"
      ).finish()
      #expect(shown.text == name)
    }
    #expect(Files.kind(of: stage.folder + "/work/ran") == nil)
  }

  @Test("a cache that is none, and a home that is none, give no names and no words")
  func broken() async throws {
    let stage = try await Stage.greeting()
    try stage.write("cache/jitconnect/names", "jitconnect-names 2\nm\tx\n\u{1B}]0;m\t\t\n")
    #expect(try await complete(stage, ["x"]) == [])
    let run = try await stage.run(
      ["--complete", "bash", "jitconnect "],
      environment: ["HOME": "/nonexistent", "XDG_CACHE_HOME": nil, "XDG_CONFIG_HOME": nil])
    #expect(run.status == 0)
    #expect(run.error == "")
  }

  @Test("the scripts are those that the program writes", arguments: ["bash", "zsh", "fish"])
  func drift(shell: String) async throws {
    let run = try await Running(
      ["--complete", "script", shell], environment: [:], directory: "/"
    ).finish()
    let names = ["bash": "jitconnect.bash", "zsh": "_jitconnect", "fish": "jitconnect.fish"]
    let path = try "\(Self.scripts)/\(#require(names[shell]))"
    if Environment.current()["JITCONNECT_RECORD"] == "1" {
      try Files.replace(path, with: run.output, mode: 0o644)
      Issue.record("\(path) was recorded anew; run again without JITCONNECT_RECORD")
    }
    #expect(run.text == String(decoding: try Files.read(path), as: UTF8.self))
  }

  private static let scripts =
    Files.parentDirectory(of: Files.parentDirectory(of: Files.parentDirectory(of: #filePath)))
    + "/completions"

  /// A shell, how it is started without the user's files, and how it takes a script.
  struct Shell: Sendable, CustomTestStringConvertible {
    var name: String
    var arguments: [String]
    var setUp: String

    var testDescription: String { name }

    static let all = [
      Shell(
        name: "bash", arguments: ["--noprofile", "--norc", "-i"],
        setUp: "source %SCRIPTS%/jitconnect.bash; PS1='$ '"),
      Shell(
        name: "zsh", arguments: ["-f", "-i"],
        setUp: "bindkey -e; autoload -U compinit; compinit -u -D; "
          + "source %SCRIPTS%/_jitconnect; PS1='$ '"),
      Shell(
        name: "fish", arguments: ["--no-config", "-i"],
        setUp: "source %SCRIPTS%/jitconnect.fish; function fish_prompt; echo '$ '; end"),
    ]
  }

  @Test("real shells complete at the Tab key", arguments: Shell.all)
  func shells(shell: Shell) async throws {
    let stage = try await stage()
    let environment = Environment(variables: stage.environment, home: nil)
    let path = try #require(ChildProcess.find(shell.name, in: environment), "needs package")
    var variables = stage.environment
    variables["PATH"] = Files.parentDirectory(of: Binary.path) + ":/usr/bin:/bin"
    variables["TERM"] = "dumb"
    variables["LANG"] = "C.UTF-8"
    let terminal = AwaitedTerminal(
      try PseudoTerminal(path, shell.arguments, environment: variables, columns: 200))
    try terminal.type(
      shell.setUp.replacing("%SCRIPTS%", with: Self.scripts) + "; echo re''ady\n")
    try await terminal.wait(for: "ready\n")
    // Ctrl-A and a word before it make a line that is shown instead of run.
    for (typed, line) in [
      ("jitconnect web1499\t9\t-v", "jitconnect web14999 -v"),
      ("jitconnect rg-10/d\t", "jitconnect rg-10/db"),
      ("jitconnect azureuser@d\tuptime", "jitconnect azureuser@db uptime"),
      ("jitconnect --resource-g\trg-49\tweb", "jitconnect --resource-group rg-49 web"),
      ("jitconnect -o JitEntr\ty\tx", "jitconnect -o JitEntra=yes x"),
      ("jitconnect statu\tdb", "jitconnect status db"),
    ] {
      try terminal.type(typed + "\u{01}echo shown: \n")
      try await terminal.wait(for: "\nshown: \(line)")
    }
    try terminal.type("exit\n")
    #expect(try await terminal.end() == .exited(0))
  }
}
