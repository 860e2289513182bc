import Platform
import Testing

@Suite struct ChildProcessTests {
  func shell(_ script: String, environment: [String: String] = [:]) -> ChildProcess {
    ChildProcess(path: "/bin/sh", arguments: ["-c", script], environment: environment)
  }

  @Test("output, error and status arrive apart; the environment is the one that was given")
  func run() throws {
    let output = try shell("echo out $A; echo err >&2; exit 3", environment: ["A": "b"]).run()
    #expect(output.ending == .exited(3))
    #expect(output.standardOutput == Array("out b\n".utf8))
    #expect(output.standardError == Array("err\n".utf8))
  }

  @Test("a signal is told from a status")
  func signalled() throws {
    #expect(try shell("kill -TERM $$").run().ending == .signalled(15))
  }

  @Test("one that takes too long is ended")
  func timeout() throws {
    #expect(try shell("exec cat /dev/zero").run(timeout: .milliseconds(50)).ending == .timedOut)
  }

  @Test("one that closes its outputs and stays is ended too, and what it started with it")
  func silent() throws {
    let folder = try TemporaryFolder()
    let script = """
      sleep 1000 & echo $! > \(folder.path)/child
      exec >/dev/null 2>&1
      wait
      """
    let output = try shell(script, environment: ["PATH": "/usr/bin:/bin"])
      .run(timeout: .milliseconds(500), ownGroup: true)
    #expect(output.ending == .timedOut)
    let text = String(decoding: try Files.read(folder.path + "/child"), as: UTF8.self)
    let child = try #require(Int32(text.split(separator: "\n").first ?? ""))
    // Gone, or waiting to be collected by init.
    let state = try shell(
      "ps -o stat= -p \(child) | grep -v Z", environment: ["PATH": "/usr/bin:/bin"]
    )
    .run()
    #expect(state.ending == .exited(1))
  }

  @Test("what is given on standard input arrives whole, and then its end")
  func input() throws {
    let output = try ChildProcess(path: "/bin/cat", arguments: [], environment: [:])
      .run(input: SecretBytes(Array("secret".utf8)))
    #expect(output.standardOutput == Array("secret".utf8))
  }

  @Test("output over the limit is read and dropped, so that the program can end")
  func limit() throws {
    let output = try shell("head -c 300000 /dev/zero").run(limit: 1000)
    #expect(output.ending == .exited(0))
    #expect(output.standardOutput.count == 1000)
  }

  @Test("no descriptor of this process reaches the program")
  func descriptors() throws {
    let pipe = try makePipe()
    let readEnd = FileDescriptor(owning: pipe.read)
    let writeEnd = FileDescriptor(owning: pipe.write)
    let output = try shell("ls /dev/fd 2>/dev/null | sort -n | tr '\\n' ' '").run()
    // The shell's ls holds one more for the folder that it reads.
    let numbers = String(decoding: output.standardOutput, as: UTF8.self).split(separator: " ")
    #expect(numbers.compactMap { Int($0) }.allSatisfy { $0 <= 3 })
    _ = consume readEnd
    _ = consume writeEnd
  }

  @Test("a program is found on PATH, never in a relative folder of it")
  func find() {
    func find(_ path: String) -> String? {
      ChildProcess.find("sh", in: Environment(variables: ["PATH": path], home: nil))
    }
    #expect(find("/nonexistent:/bin") == "/bin/sh")
    #expect(find("bin:.:") == nil)
  }

  @Test("a program that is not there is an error, not a status")
  func missing() {
    #expect(throws: SystemError.self) {
      try ChildProcess(path: "/nonexistent/x", arguments: [], environment: [:]).run()
    }
  }
}
