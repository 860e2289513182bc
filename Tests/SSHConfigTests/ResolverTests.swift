import SSHConfig
import Testing

@Suite("where settings come from")
struct ResolverTests {
  static let own = "/home/ann/.config/jitconnect/config"
  static let user = "/home/ann/.ssh/config"
  static let system = "/etc/ssh/ssh_config"

  @Test("command line, variable, own file, user's file, system's file; the first value wins")
  func order() throws {
    var files = [
      Self.own: "JitDuration 30m\nPort 3", Self.user: "JitDuration 40m\nPort 4\nUser four",
      Self.system: "JitDuration 50m\nPort 5\nUser five\nCompression yes",
    ]
    var environment = ["JITCONNECT_DURATION": "20m"]
    func settings(_ words: [String]) throws -> SSHOptions {
      try options(words, world: testWorld(files: files, environment: environment))
    }
    let all = try settings(["--for", "10m", "web1"])
    #expect(all.jit.duration == 600 && all.jit.origin(of: .duration) == .commandLine)
    #expect(all.jit.isSpelledOut(.duration))
    #expect(try settings(["-oJitDuration=10m", "web1"]).jit.duration == 600)
    let variable = try settings(["web1"])
    #expect(variable.jit.duration == 1200 && !variable.jit.isSpelledOut(.duration))
    #expect(variable.jit.origin(of: .duration) == .environment("JITCONNECT_DURATION"))
    environment = [:]
    let file = try settings(["web1"])
    #expect(file.jit.origin(of: .duration) == .file(path: Self.own, line: 1))
    #expect(file.port == 3 && file.portOrigin == .file(path: Self.own, line: 2))
    #expect(file.user == "four" && file.compression)
    files[Self.own] = nil
    #expect(try settings(["web1"]).jit.duration == 2400)
    files[Self.user] = nil
    #expect(try settings(["web1"]).jit.duration == 3000)
    #expect(file.filesRead == [Self.own, Self.user, Self.system])
  }

  @Test("-F replaces the user's and the system's file, and none drops them; ours is still read")
  func namedFile() throws {
    let world = testWorld(files: [
      Self.own: "JitWait 5", Self.user: "Port 4", Self.system: "Port 5", "/f": "Port 6",
    ])
    #expect(try options(["-F", "/f", "web1"], world: world).port == 6)
    let none = try options(["-F", "none", "web1"], world: world)
    #expect(none.port == 22 && none.portOrigin == nil && none.jit.wait == 5)
    let error = #expect(throws: SSHConfigError.self) {
      try options(["-F", "/missing", "web1"], world: world)
    }
    #expect(error?.message == "Can't open user config file /missing: No such file or directory")
  }

  @Test("a file that others may write is refused; one named by -F is the caller's business")
  func permissions() throws {
    let world = testWorld(files: [Self.user: "Port 4"], refused: [Self.user])
    let error = #expect(throws: SSHConfigError.self) { try options(["web1"], world: world) }
    #expect(error?.message == "Bad owner or permissions on \(Self.user)")
    #expect(try options(["-F", Self.user, "web1"], world: world).port == 4)
  }

  @Test("every mistake of a file is told, with its line")
  func mistakes() {
    let error = #expect(throws: SSHConfigError.self) {
      try options(config: "Port 22\nFoo 1\n\nCompression maybe\nPort")
    }
    #expect(
      error?.lines == [
        "\(Self.user): line 2: Bad configuration option: foo",
        "\(Self.user) line 4: unsupported option \"maybe\".",
        "\(Self.user) line 5: no argument after keyword \"port\"",
        "\(Self.user): terminating, 3 bad configuration options",
      ])
    #expect(error?.file == Self.user && error?.line == 2)
  }

  @Test("an unknown Jit keyword is a mistake, and behind IgnoreUnknown a warning")
  func unknownJit() throws {
    #expect(throws: SSHConfigError.self) { try options(config: "JitDuraton 10m") }
    let ignored = try options(config: "IgnoreUnknown Jit*\nJitDuration 10m\nJitSorce any")
    #expect(ignored.jit.duration == 600)
    #expect(ignored.notes.contains { $0.level == .warning && $0.text.contains("jitsorce") })
  }

  @Test("includes lie in ~/.ssh, in /etc/ssh or beside our own file")
  func includes() throws {
    let world = testWorld(
      files: [
        Self.own: "Include extra", "/home/ann/.config/jitconnect/extra": "JitWait 7",
        Self.user: "Include conf.d/*\nInclude ~bob/x\nPort 9",
        "/home/ann/.ssh/conf.d/a": "Host other\nPort 1", "/home/ann/.ssh/conf.d/b": "User b",
        "/home/bob/x": "Compression yes", Self.system: "Include sys",
        "/etc/ssh/sys": "BatchMode yes",
      ],
      globs: ["/home/ann/.ssh/conf.d/*": ["/home/ann/.ssh/conf.d/a", "/home/ann/.ssh/conf.d/b"]])
    let options = try options(["web1"], world: world)
    // a Host block in an included file ends with it
    #expect(options.port == 9 && options.user == "b" && options.compression && options.batchMode)
    #expect(options.jit.wait == 7)
  }

  @Test("an included file's mistakes carry its own name, and circles end")
  func includeMistakes() {
    let world = testWorld(files: [Self.user: "Include a", "/home/ann/.ssh/a": "\nFoo 1"])
    let error = #expect(throws: SSHConfigError.self) { try options(["web1"], world: world) }
    #expect(error?.file == "/home/ann/.ssh/a" && error?.line == 2)
    let circle = testWorld(files: [
      Self.user: "Include a", "/home/ann/.ssh/a": "Include a\nInclude a",
    ])
    let endless = #expect(throws: SSHConfigError.self) { try options(["web1"], world: circle) }
    #expect(endless?.message == "Too many recursive configuration includes")
  }

  @Test("an include in a block that does not apply sets nothing and runs nothing")
  func inactiveInclude() throws {
    var world = testWorld(files: [
      Self.user: "Host other\nInclude a\nHost *\nUser u",
      "/home/ann/.ssh/a": "Port 1\nHost *\nPort 2\nMatch all\nPort 3\nMatch exec boom\nPort 4",
    ])
    world.run = { _ in
      Issue.record("ran a command")
      return true
    }
    let options = try options(["web1"], world: world)
    #expect(options.port == 22 && options.user == "u")
  }

  @Test("Match exec runs with its tokens filled in, and only where it can decide")
  func matchExec() throws {
    let config = "Match exec \"check %h %p %r\"\nPort 5\nMatch host x exec never\nPort 6"
    let world = testWorld(files: [Self.user: config], succeeding: ["check web1 22 ann", "never"])
    #expect(try options(["web1"], world: world).port == 5)
    #expect(try options(["web2"], world: world).port == 22)
  }

  @Test("of a path to a VM only its name reaches commands and file names")
  func pathTokens() throws {
    let config =
      "Match exec \"check %h %n\"\nPort 5\nMatch all\nUserKnownHostsFile /k/%h/%n\nProxyCommand nc %h"
    let world = testWorld(files: [Self.user: config], succeeding: ["check web1 web1"])
    let options = try options(["rg(1)/web1"], world: world)
    #expect(options.port == 5 && options.userKnownHostsFiles == ["/k/web1/web1"])
    #expect(try options.tokens.expand("nc %h %n", .proxyCommand) == "nc web1 web1")
    #expect(options.originalHost == "rg(1)/web1" && options.hostName == nil)
  }

  @Test("Match: tagged, sessiontype and command, as later versions have them")
  func laterMatches() throws {
    let config = """
      Match tagged blue
        Port 1
      Match sessiontype exec command "ls*"
        User lister
      Match localnetwork 10.0.0.0/8
        Compression yes
      Match !localnetwork 10.0.0.0/8
        Compression yes
      """
    let options = try options(config: config, ["-P", "blue", "web1", "ls", "-l"])
    #expect(options.port == 1 && options.user == "lister" && !options.compression)
    #expect(options.notes.contains { $0.text.contains("localnetwork") })
  }

  @Test("HostName says where to connect, not what the VM is called")
  func hostName() throws {
    let options = try options(config: "Host web1\nHostName %h.example.org\nJitVM rg/web1")
    #expect(options.hostName == nil && options.jit.vm == nil)
    let set = try SSHConfigTests.options(
      config: "Host web1\nHostName %h.Example.org\nJitVM rg/web1", ["web1"])
    #expect(set.hostName == "web1.example.org" && set.originalHost == "web1")
    #expect(set.hostNameOrigin == .file(path: Self.user, line: 2))
    #expect(set.jit.vm == "rg/web1" && set.tokens.host == "web1.example.org")
  }

  @Test("canonical names are asked for only where wanted, and Match canonical sees them")
  func canonical() throws {
    var world = testWorld(files: [
      Self.user: """
      CanonicalizeHostname yes
      CanonicalDomains a.org b.org
      CanonicalizePermittedCNAMEs *.b.org:*.c.org
      Match canonical host *.c.org
        User canon
      """
    ])
    world.resolve = { $0 == "web1.b.org." ? .init(canonicalName: "x.c.org") : nil }
    let options = try options(["web1"], world: world)
    #expect(options.tokens.host == "x.c.org" && options.user == "canon")
  }

  @Test("identity files: -i that is there, the files', else ssh's defaults")
  func identities() throws {
    let world = testWorld(
      files: [
        Self.user: "IdentityFile ~/.ssh/%r_key\nIdentityFile none", Self.system: "IdentityFile /s",
      ],
      present: ["/home/ann/k"])
    let options = try options(["-i", "~/k", "-i", "/gone", "bob@web1"], world: world)
    #expect(
      options.identityFiles == [
        .init(path: "/home/ann/k", isExplicit: true),
        .init(path: "/home/ann/.ssh/bob_key", isExplicit: true),
        .init(path: "/s", isExplicit: false),
      ])
    #expect(options.notes.contains { $0.text.hasPrefix("Warning: Identity file /gone") })
    let plain = try SSHConfigResolver.resolve(words: ["web1"])
    #expect(plain.identityFiles.count == 7 && plain.identityFiles.allSatisfy { !$0.isExplicit })
  }

  @Test("-W stands for -N -T, and for forwards cleared and failures fatal")
  func stdioForward() throws {
    let options = try options(["-W", "[::1]:22", "-L", "1:x:2", "web1"])
    #expect(options.stdioForward == SSHOptions.StdioForward(host: "::1", port: 22))
    #expect(options.sessionType == .none && options.requestTTY == .no)
    #expect(options.clearAllForwardings && options.exitOnForwardFailure)
    #expect(options.localForwards.isEmpty)
  }

  @Test("jumps in the order of the way; ProxyCommand none is none")
  func jumps() throws {
    let options = try options(["-J", "a,ann@b:2222", "web1"])
    #expect(
      options.proxyJump?.hops == [.init(host: "a"), .init(user: "ann", host: "b", port: 2222)])
    #expect(options.proxyCommand == nil && options.tokens.jumpHost == "b")
    let none = try SSHConfigTests.options(config: "ProxyCommand none\nProxyJump a")
    #expect(none.proxyCommand == nil && none.proxyJump == nil)
  }

  @Test(
    "when the remote side is given a terminal",
    arguments: [
      (["h"], true, true), (["h"], false, false), (["h", "ls"], true, false),
      (["-t", "h", "ls"], true, true), (["-t", "h", "ls"], false, false),
      (["-tt", "h", "ls"], false, true), (["-T", "h"], true, false), (["-N", "h"], true, false),
      (["-n", "h"], true, false), (["-oRemoteCommand=x", "h"], true, false),
      (["-s", "h", "sftp"], true, false),
    ])
  func terminal(_ words: [String], _ isTerminal: Bool, _ expected: Bool) throws {
    #expect(try options(words).wantsTerminal(stdinIsTerminal: isTerminal) == expected)
  }

  @Test("RefuseConnection and combinations that make no sense are refused")
  func refusals() {
    let refused = #expect(throws: SSHConfigError.self) {
      try options(config: "RefuseConnection not today")
    }
    #expect(refused?.kind == .refused && refused?.message.hasSuffix("not today") == true)
    #expect(throws: SSHConfigError.self) { try options(["-oUser=-x", "h"]) }
    #expect(throws: SSHConfigError.self) { try options(["-l", "a;b", "h"]) }
  }

  @Test("control characters of a file do not reach the message")
  func harmlessMessages() {
    let error = #expect(throws: SSHConfigError.self) { try options(config: "Fo\u{1B}[2Jo 1") }
    #expect(error?.message.contains("\u{1B}") == false)
  }
}

@Suite("our own keywords")
struct JitKeywordTests {
  @Test("every keyword has its row, its variable, and a default that it would accept")
  func table() {
    #expect(JitKeyword.table.map(\.keyword) == JitKeyword.allCases)
    for row in JitKeyword.table {
      #expect(row.variable.hasPrefix("JITCONNECT_"))
      if let value = row.defaultValue { #expect((try? row.keyword.read(value).get()) == value) }
    }
    #expect(JitKeyword.ipServices.row.variable == "JITCONNECT_IP_SERVICES")
    #expect(JitKeyword.closeOnExit.row.variable == "JITCONNECT_CLOSE_ON_EXIT")
    #expect(JitKeyword.rdpFile.row.variable == "JITCONNECT_RDP_FILE")
  }

  @Test(
    "values",
    arguments: [
      (.duration, "PT1H", "3600"), (.duration, "0", nil), (.duration, "soon", nil),
      (.enable, "ASK", "ask"), (.enable, "true", "yes"), (.enable, "maybe", nil),
      (.source, "203.0.113.7", "203.0.113.7"),
      (.source, "203.0.113.0/24,198.51.100.1", "203.0.113.0/24,198.51.100.1"),
      (.source, "any", "any"), (.source, "any,1.2.3.4", nil), (.source, "2001:db8::1", nil),
      (.source, "1.2.3.4/33", nil), (.source, "1.2.3", nil), (.source, "01.2.3.4", nil),
      (.source, "1.2.3.256", nil), (.source, "1.2.3.4/", nil),
      (
        .ipServices, "https://a.example, https://b.example/x",
        "https://a.example,https://b.example/x"
      ),
      (.ipServices, "http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
      (.ipServices, "http://[::1]:1/", "http://[::1]:1/"),
      (.ipServices, "http://a.example", nil), (.ipServices, "http://127.0.0.1.example", nil),
      (.ipServices, "http://localhost@a.example/", nil), (.ipServices, "file:///etc", nil),
      (.reason, "a b", "a b"), (.reason, "a\u{1B}b", nil), (.reason, "", nil),
      (.vm, "rg/web1", "rg/web1"), (.vm, "../web1", nil), (.vm, "a b", nil),
      (.mode, "off", "off"), (.unknownHost, "ssh", "ssh"), (.client, "OpenSSH", "openssh"),
    ] as [(JitKeyword, String, String?)])
  func values(_ keyword: JitKeyword, _ value: String, _ stored: String?) {
    #expect((try? keyword.read(value).get()) == stored)
  }

  @Test("defaults where nothing is set")
  func defaults() throws {
    let jit = try SSHConfigResolver.resolve(words: ["h"]).jit
    #expect(jit.duration == nil && jit.wait == 120 && jit.source == .auto && jit.isOn)
    #expect(jit.enable == .ask && jit.client == .libssh2 && jit.entra == .auto)
    #expect(jit.address == .public && jit.tokenStore == .file && !jit.reachesUnknownHosts)
    #expect(!jit.closeOnExit && !jit.keepOthers && jit.ipServices.isEmpty)
  }

  @Test("words of a reason need no quotes in a file; a variable's mistake names the variable")
  func texts() throws {
    #expect(
      try options(config: "JitReason fix the \"big  disk\"").jit.reason == "fix the big  disk")
    #expect(try options(["-oJitReason=two words", "h"]).jit.reason == "two words")
    #expect(try options(["-oJitReason=fix #12", "h"]).jit.reason == "fix #12")
    #expect(try options(config: "JitReason \"fix #12\" # c").jit.reason == "fix #12")
    let world = testWorld(environment: ["JITCONNECT_START": "perhaps"])
    let error = #expect(throws: SSHConfigError.self) { try options(["h"], world: world) }
    #expect(error?.message.hasPrefix("JITCONNECT_START: unsupported option") == true)
  }

  @Test(
    "what is wide",
    arguments: [
      ("auto", false), ("any", true), ("1.2.3.4", false), ("1.2.3.0/24", false),
      ("1.2.0.0/23", true), ("0.0.0.0/0", true), ("1.2.3.4,1.0.0.0/8", true),
    ])
  func wide(_ text: String, _ expected: Bool) throws {
    #expect(try JitSource.parse(text).get().isWide == expected)
  }

  @Test("each keyword's options lead back to it")
  func longOptions() {
    #expect(SSHLongOption.names(of: .enable) == ["--enable", "--no-enable"])
    #expect(SSHLongOption.names(of: .mode) == ["--no-jit"])
    #expect(SSHLongOption.names(of: .ipServices).isEmpty)
    #expect(Set(SSHLongOption.allNames).count == SSHLongOption.allNames.count)
  }

  @Test("JitRdpSetting adds up, and is printed line by line; of the others the first counts")
  func rdpSettings() throws {
    let words = ["-oJitRdpSetting=smart sizing:i:1", "-o", "JitRdpSetting keyboardhook:i:2", "h"]
    let options = try options(
      config: "JitRdpSetting smart sizing:i:1\nJitRdpSetting audiomode:i:0", words)
    #expect(
      options.jit.rdpSettings == ["smart sizing:i:1", "keyboardhook:i:2", "audiomode:i:0"])
    #expect(
      options.printedConfiguration().suffix(3) == [
        "jitrdpsetting smart sizing:i:1", "jitrdpsetting keyboardhook:i:2",
        "jitrdpsetting audiomode:i:0",
      ])
  }

  @Test("a size has two numbers, a way through SSH a port, and a client keeps its quotes")
  func desktops() throws {
    func jit(_ words: String...) throws -> JitSettings { try options(words + ["h"]).jit }
    #expect(try jit("--size=1600X900").rdpSize.map { [$0.width, $0.height] } == [1600, 900])
    #expect(try jit().rdpSize == nil && jit("--size=full").rdpSize == nil)
    for bad in ["--size=1600", "--size=1x1", "--size=1600x900x1", "--via-ssh=0", "--via-ssh=x"] {
      #expect(throws: SSHConfigError.self) { try jit(bad) }
    }
    #expect(try jit().rdpPortBehindSSH == nil && jit("--no-via-ssh").rdpPortBehindSSH == nil)
    #expect(try jit("--via-ssh").rdpPortBehindSSH == 3389)
    #expect(try jit("--via-ssh=3390").rdpPortBehindSSH == 3390)
    #expect(try options(config: "JitRdpClient show '%u at %h'").jit.rdpClient == "show '%u at %h'")
    #expect(try jit(#"-oJitRdpClient="show '%u'""#).rdpClient == "show '%u'")
    #expect(try jit("--drives").unlessNone(.rdpDrives) == "*")
    #expect(try jit("--no-drives").unlessNone(.rdpDrives) == nil)
  }

  @Test("-G prints what is set of them, behind ssh's own keys")
  func printed() throws {
    let lines = try options(["--for", "10m", "h"]).printedConfiguration()
    #expect(lines.last == "jitduration 600")
  }
}
