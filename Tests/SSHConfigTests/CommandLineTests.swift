import SSHConfig
import Testing

@Suite("command lines")
struct CommandLineTests {
  @Test("letters cluster, take what is joined or the next word, and may follow the host")
  func letters() throws {
    let line = try SSHCommandLine.parse(["-vNL8080:x:80", "web1", "-p", "22", "-oA b", "ls", "-l"])
    #expect(
      line.options == [
        .letter("v", nil), .letter("N", nil), .letter("L", "8080:x:80"), .letter("p", "22"),
        .letter("o", "A b"),
      ])
    #expect(line.destination == SSHDestination(host: "web1"))
    #expect(line.command == ["ls", "-l"])
    #expect(line.commandText == "ls -l")
    #expect(line.commandStart == 5)
  }

  @Test("every letter of ssh's usage is known")
  func usageLetters() throws {
    for letter in "46AaCfGgKkMNnqsTtVvXxYy" {
      #expect(try SSHCommandLine.parse(["-\(letter)"]).has(letter))
    }
    for letter in "BbcDEeFIiJLlmOopQRSWw" {
      #expect(try SSHCommandLine.parse(["-\(letter)value"]).last(letter) == "value")
      #expect(throws: SSHConfigError.self) { try SSHCommandLine.parse(["-\(letter)"]) }
    }
  }

  @Test(
    "host words",
    arguments: [
      ("web1", nil, "web1", nil), ("ann@web1", "ann", "web1", nil),
      ("a@b@web1", "a@b", "web1", nil), ("ssh://ann@web1:2222", "ann", "web1", 2222),
      ("ssh://web1", nil, "web1", nil), ("ssh://[::1]:22", nil, "::1", 22),
      ("group/web1", nil, "group/web1", nil), ("ann@group/web1", "ann", "group/web1", nil),
      ("rg(1)/web1", nil, "rg(1)/web1", nil),
      (
        "/subscriptions/1-2/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web1",
        nil,
        "/subscriptions/1-2/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web1",
        nil
      ),
    ] as [(String, String?, String, Int?)])
  func hosts(_ word: String, _ user: String?, _ host: String, _ port: Int?) throws {
    let line = try SSHCommandLine.parse([word])
    #expect(line.destination == SSHDestination(user: user, host: host, port: port))
  }

  @Test(
    "what a shell or an option parser would act on is no host",
    arguments: [
      "-", "a;b", "a b", "$(x)", "a`b`", "a|b", "a&b", "a\u{1B}[2J", "", "g/-x", "g//x", "g/x;y",
      "../x", "g/..", "a\nb", "g/x(1)", "a,b", "{a}", "@x", "ssh://x/y", "-@x", "a\\@x",
      "a -x@h", "a;b@h", "ssh://-x", "ssh://a%0@x",
    ])
  func refusedHosts(_ word: String) {
    #expect(throws: SSHConfigError.self) { try SSHCommandLine.parse(["--", word]) }
  }

  @Test("-- ends options: the next word is the host, and all after it the command")
  func doubleDash() throws {
    let line = try SSHCommandLine.parse(["-v", "--", "list", "--for", "x", "-p"])
    #expect(line.destination?.host == "list")
    #expect(line.command == ["--for", "x", "-p"])
    let after = try SSHCommandLine.parse(["list", "--", "--json"])
    #expect(after.command == ["--json"])
    #expect(!after.has(.json))
  }

  @Test("long options are ours up to the first word of the remote command")
  func longOptions() throws {
    let line = try SSHCommandLine.parse([
      "--for", "1h30m", "web1", "--reason=because of it", "--no-enable", "--json", "cmd",
      "--dry-run",
    ])
    #expect(line.value(of: .duration) == "5400")
    #expect(line.value(of: .reason) == "because of it")
    #expect(line.value(of: .enable) == "no")
    #expect(line.has(.json) && !line.has(.dryRun))
    #expect(line.command == ["cmd", "--dry-run"])
  }

  @Test("--entra takes a word only where it is one of its values")
  func optionalArgument() throws {
    #expect(try SSHCommandLine.parse(["--entra", "web1"]).value(of: .entra) == "yes")
    #expect(try SSHCommandLine.parse(["--entra", "auto", "web1"]).value(of: .entra) == "auto")
    #expect(try SSHCommandLine.parse(["--entra=no", "web1"]).value(of: .entra) == "no")
    #expect(try SSHCommandLine.parse(["--enable", "web1"]).destination?.host == "web1")
  }

  @Test(
    "a wrong option is named",
    arguments: [
      (["-z"], "unknown option -- z"), (["-vz", "h"], "unknown option -- z"),
      (["-p"], "option requires an argument -- p"),
      (["h", "-o"], "option requires an argument -- o"),
      (["--fro", "1m", "h"], "unknown option --fro; did you mean --for?"),
      (["--resource-grup=x"], "unknown option --resource-grup; did you mean --resource-group?"),
      (["--frobnicate"], "unknown option --frobnicate"),
      (["--for"], "option requires an argument -- for"),
      (["--json=x"], "option takes no argument -- json"),
      (["--for", "soon", "h"], "--for: invalid time value."),
      (
        ["--client", "putty", "h"],
        "--client: unsupported option \"putty\"; JitClient takes libssh2, openssh."
      ),
      (["-1", "h"], "SSH protocol v.1 is no longer supported"),
      (["-y", "-E", "f", "h"], "Can't specify both -y and -E"),
      (["--stdio", "h", "22", "x"], "--stdio takes a host and a port, and no command"),
    ])
  func wrongOptions(_ words: [String], _ message: String) {
    let error = #expect(throws: SSHConfigError.self) { try SSHCommandLine.parse(words) }
    #expect(error?.message == message)
  }

  @Test("--stdio takes the host and port of a ProxyCommand")
  func stdio() throws {
    let line = try SSHCommandLine.parse(["--stdio", "web1", "2222"])
    #expect(line.stdioPort == 2222 && line.command.isEmpty)
    #expect(try SSHCommandLine.parse(["--stdio", "web1"]).stdioPort == nil)
  }

  @Test(
    "only a host by itself is bare",
    arguments: [
      (["w"], true), (["-v", "-l", "a", "w"], true), (["w", "dir"], false), (["-N", "w"], false),
      (["-D1", "w"], false), (["-t", "w"], false), (["-T", "w"], false),
      (["-W", "a:1", "w"], false), (["--stdio", "w"], false), (["--for", "1m", "w"], true),
    ])
  func bare(_ words: [String], _ expected: Bool) throws {
    #expect(try SSHCommandLine.parse(words).isBare == expected)
  }

  @Test("-V, -Q and --help need no host")
  func noHost() throws {
    #expect(try SSHCommandLine.parse(["-V"]).asksVersion)
    #expect(try SSHCommandLine.parse(["-Q", "cipher"]).query == "cipher")
    #expect(try SSHCommandLine.parse(["--help"]).has(.help))
    let error = #expect(throws: SSHConfigError.self) { try options(["-v"]) }
    #expect(error?.kind == .usage)
  }

  @Test("the usage text keeps ssh's shape under another name")
  func usage() {
    let lines = SSHCommandLine.usage("ssh").split(separator: "\n")
    #expect(lines.first == "usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface]")
    #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("           [") })
  }
}

@Suite("command lines of programs")
struct ProgramTests {
  @Test("scp: a file's command, forwards and terminal do not reach the copy")
  func scp() throws {
    let config = "RemoteCommand tmux\nLocalForward 1 x:1\nRequestTTY yes\nForwardAgent yes"
    let options = try options(
      config: config,
      [
        "-x", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none",
        "-oRequestTTY=no", "-oControlMaster=no", "-oForwardAgent=no", "-p", "22", "-l", "ann",
        "-s", "--", "web1", "sftp",
      ])
    #expect(options.remoteCommand == "sftp")
    #expect(options.sessionType == .subsystem)
    #expect(options.localForwards.isEmpty && options.forwardAgent == .no)
    #expect(!options.wantsTerminal(stdinIsTerminal: true))
    #expect(options.user == "ann" && options.port == 22)
  }

  @Test("sftp: -oKey value with a blank")
  func sftp() throws {
    let options = try options([
      "-oForwardX11 no", "-oPermitLocalCommand no", "-oClearAllForwardings yes", "-s", "--",
      "web1", "sftp",
    ])
    #expect(options.clearAllForwardings && options.sessionType == .subsystem)
  }

  @Test("git: -G answers, and its transport line is one command")
  func git() throws {
    #expect(try SSHCommandLine.parse(["-G", "web1"]).printsConfiguration)
    let options = try options([
      "-o", "SendEnv=GIT_PROTOCOL", "-p", "2222", "git@web1", "git-upload-pack '/a b.git'",
    ])
    #expect(options.remoteCommand == "git-upload-pack '/a b.git'")
    #expect(options.sendEnv == ["GIT_PROTOCOL"] && options.port == 2222)
  }

  @Test("Ansible: all it sends is taken, what has no effect is noted")
  func ansible() throws {
    let options = try options([
      "-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o",
      "KbdInteractiveAuthentication=no", "-o",
      "PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey", "-o",
      "PasswordAuthentication=no", "-o", "User=\"ann\"", "-o", "ConnectTimeout=10", "-o",
      "ControlPath=\"/tmp/cp/%C\"", "web1", "/bin/sh -c 'echo ~ann && sleep 0'",
    ])
    #expect(options.user == "ann" && options.connectTimeout == 10 && options.compression)
    #expect(options.controlMaster == .auto && options.controlPersist == 60)
    #expect(!options.passwordAuthentication && !options.kbdInteractiveAuthentication)
    #expect(options.unusedKeywords == [.controlMaster, .controlPath, .controlPersist])
    #expect(options.notes.allSatisfy { $0.level == .debug })
  }

  @Test("an editor's remote mode: a SOCKS port beside a shell without terminal")
  func editor() throws {
    let options = try options(["-v", "-T", "-D", "51234", "-o", "ConnectTimeout=15", "web1"])
    #expect(
      options.dynamicForwards
        == [SSHForward(listener: .port(address: nil, port: 51234), target: .socks)])
    #expect(options.logLevel == .debug1 && options.requestTTY == .no)
  }

  @Test("rsync: the user behind -l and a command with letters of its own")
  func rsync() throws {
    let options = try options(["-l", "ann", "web1", "rsync", "--server", "-vl", ".", "/x"])
    #expect(options.user == "ann" && options.remoteCommand == "rsync --server -vl . /x")
  }
}
