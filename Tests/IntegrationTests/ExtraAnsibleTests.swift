import Platform
import Testing

@Suite("Ansible through the built program", .limited)
struct ExtraAnsibleTests {
  static let program = "/usr/bin/ansible"
  static let isInstalled = Files.kind(of: program, followingLinks: true) != nil

  private func ansible(_ server: SSHServer, _ arguments: [String]) async throws -> Run {
    // Its own ControlMaster options are left as they are.
    try server.write(
      "box ansible_ssh_executable=\(Binary.path) ansible_ssh_common_args='-F \(server.folder)/config'"
        + " ansible_sftp_extra_args='-S \(Binary.path)' ansible_python_interpreter=/usr/bin/python3\n",
      "inventory")
    let running = try Running(
      ["-i", server.folder + "/inventory", "box"] + arguments, of: Self.program,
      environment: server.environment.merging([
        "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": server.folder + "/local", "LC_ALL": "C.UTF-8",
        "ANSIBLE_REMOTE_TEMP": server.folder + "/remote",
      ]) { $1 }, directory: server.folder + "/work")
    return try await running.finish(timeout: .seconds(120))
  }

  @Test(
    "ping, shell and copy", .enabled(if: isInstalled, "needs package ansible-core"),
    arguments: ["piped", "sftp"])
  func modules(_ transfer: String) async throws {
    let server = try SSHServer()
    let method = ["-e", "ansible_ssh_transfer_method=\(transfer)"]
    let ping = try await ansible(server, ["-m", "ping"] + method)
    #expect(ping.ending == .exited(0), "\(ping.text) \(ping.error)")
    #expect(ping.text.contains("\"ping\": \"pong\""))

    let shell = try await ansible(server, ["-m", "shell", "-a", "echo out; exit 3"] + method)
    #expect(shell.ending == .exited(2))
    #expect(shell.text.contains("rc=3") && shell.text.contains("out"), "\(shell.text)")

    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    let source = server.folder + "/source"
    let copied = server.folder + "/copied"
    try Files.replace(source, with: bytes)
    let copy = try await ansible(
      server, ["-m", "copy", "-a", "src=\(source) dest=\(copied)"] + method)
    #expect(copy.ending == .exited(0), "\(copy.text) \(copy.error)")
    #expect(try Files.read(copied) == bytes)
  }
}
