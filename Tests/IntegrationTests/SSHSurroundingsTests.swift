import Platform
import Testing

/// What surrounds a session: who started us and how, what we start, files that others hold.
@Suite("Surroundings of a session, beside ssh", .limited)
struct SSHSurroundingsTests {
  private static let clients: [Client] = [.jitconnect, .openSSH]

  // MARK: What we are started with

  @Test("what nohup ignores is ignored by what we start", arguments: ["$JIT", "$FOLDER/bin/open"])
  func hangUp(_ client: String) async throws {
    let server = try SSHServer()
    try await server.shellPasses(
      """
      trap '' HUP
      mkfifo in; : >said
      setsid "\(client)" -o "ProxyCommand=\(client) -W 127.0.0.1:\(server.port) box" box \
        'echo up; read word; echo survived $word' <in >said &
      exec 3>in
      until grep -q up said; do sleep 0.05; done
      /bin/kill -HUP -- -$!
      echo well >&3
      exec 3>&-
      wait $!
      grep -qx 'survived well' said
      """)
  }

  @Test("a parent that ignores its children's ends hides none of ours")
  func ignoredChildren() async throws {
    let server = try SSHServer(config: ["Match exec true", "User matched"])
    try await server.shellPasses(
      """
      trap '' CHLD
      "$JIT" -G box | grep -qx 'user matched'
      """)
  }

  @Test("what we start has the limit on core dumps that we had")
  func coreLimit() async throws {
    let server = try SSHServer(config: ["PermitLocalCommand yes", "LocalCommand ulimit -c"])
    try await server.shellPasses(
      """
      ulimit -S -c "$(ulimit -H -c)"
      "$JIT" box true >own
      "$FOLDER/bin/open" box true >other
      cmp own other
      """)
  }

  @Test("a variable whose value begins with a combining mark is sent like any other")
  func combiningMark() async throws {
    let server = try SSHServer()
    try await server.compare(
      ["-oSendEnv=JIT_X", "box", "printenv JIT_X | od -An -tx1"],
      environment: ["JIT_X": "\u{301}abc"])
  }

  @Test("what carries a jump does not tell what it starts that it does")
  func hop() async throws {
    let server = try SSHServer(
      config: ["PermitLocalCommand yes", "LocalCommand echo ${JITCONNECT_IS_HOP-none}"])
    let run = try await server.run(["box", "true"], environment: ["JITCONNECT_IS_HOP": "1"])
    #expect(run.text == "none\n", "\(run.error)")
    let failed = try await server.run(
      ["-oBatchMode=yes", "-oPubkeyAuthentication=no", "box"],
      environment: ["JITCONNECT_IS_HOP": "1"])
    #expect(failed.status == 254)
  }

  // MARK: What is sent

  @Test("a variable too long for a packet is left out, and told")
  func longVariable() async throws {
    let server = try SSHServer()
    let run = try await server.run(
      ["-oSendEnv=JIT_BIG JIT_X", "box", "echo ${JIT_BIG-none} $JIT_X"],
      environment: ["JIT_BIG": String(repeating: "x", count: 40_000), "JIT_X": "small"])
    #expect(run.text == "none small\n", "\(run.error)")
    #expect(run.error.contains("JIT_BIG is too long"))
  }

  @Test("the longest command passes, one byte more is refused before anything is sent")
  func longCommand() async throws {
    let server = try SSHServer()
    let longest = "echo in #".padded(to: 34_700)
    try await server.compare(["box", longest])
    let run = try await server.run(["box", longest + "x"])
    #expect(run.status == 255)
    #expect(run.code == "not-built-in")
  }

  // MARK: What we start

  @Test("Match exec: its errors are seen, and what it leaves behind is not waited for")
  func matchExec() async throws {
    let server = try SSHServer(
      config: ["Match exec \"echo seen >&2; sleep 70 >/dev/null 2>&1 & true\"", "SetEnv JIT_X=in"])
    let error = try await server.compare(["box", "echo $JIT_X"])
    #expect(error.own == error.ssh)
    #expect(error.own.contains("seen"))
    let wide = try SSHServer(config: [
      "Match exec \"sleep 70 2>/dev/null & true\"", "SetEnv JIT_X=in",
    ])
    let run = try await wide.run(["-G", "box"])
    #expect(run.ending == .exited(0))
    #expect(run.text.contains("setenv JIT_X=in"))
  }

  @Test("a forward that has only some of its addresses says which it has not", arguments: clients)
  func partOfForward(_ client: Client) async throws {
    let server = try SSHServer()
    let run = try await server.run(
      ["-L", "\(server.port):127.0.0.1:9", "box", "true"], as: client)
    #expect(run.status == 0)
    #expect(run.error.contains("bind [127.0.0.1]:\(server.port): Address already in use"))
  }

  // MARK: Files and peers

  @Test("a lock that somebody holds on the known hosts does not keep a key out")
  func heldLock() async throws {
    let server = try SSHServer()
    try await server.shellPasses(
      """
      : >held
      flock -s held sleep 50 >/dev/null 2>&1 & holder=$!
      until ! flock -n -x held true; do sleep 0.05; done
      "$JIT" -o UserKnownHostsFile="$PWD/held" -o StrictHostKeyChecking=accept-new box true
      test -s held
      kill $holder
      """)
  }

  @Test("--stdio tells an output that takes nothing")
  func stdioOutput() async throws {
    let server = try SSHServer()
    try await server.shellPasses(
      """
      status=0
      '\(Binary.path)' --no-jit -F none --stdio 127.0.0.1 \(server.port) </dev/null >/dev/full ||
        status=$?
      test $status = 255
      """)
  }

  @Test(
    "a server that never says who it is, or speaks another version, is given up",
    arguments: [
      ("yes line", "No SSH"),
      ("tr '\\0' x </dev/zero | head -c 20000; sleep 70 2>/dev/null", "Banner too long"),
      ("echo SSH-1.5-old; sleep 70 2>/dev/null", "Protocol major versions differ: 2 vs. 1"),
    ])
  func noBanner(_ server: String, _ words: String) async throws {
    let place = try SSHServer()
    let run = try await place.run(["-oProxyCommand=\(server)", "box", "true"])
    #expect(run.status == 255)
    #expect(run.error.contains(words), "\(run.error)")
  }
}

extension String {
  fileprivate func padded(to count: Int) -> String {
    self + String(repeating: "x", count: count - utf8.count)
  }
}
