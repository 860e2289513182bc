import FoundationEssentials
import Platform
import Testing

@Suite("The order of keys is ssh's", .limited)
struct SSHKeyOrderTests {
  /// Which keys the agent holds, and which options name files; `%` stands for the folder.
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var agent: [String] = []
    var options: [String]
    /// Certificates that lie beside their keys; all others lie in `away`.
    var beside: [String] = []
    /// How many are offered, before the server's own key, which the configuration names last.
    var count: Int
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "files alone, in their order", options: ["-i", "%b", "-i", "%a"], count: 2),
    Case(
      name: "a file that the agent does not hold comes after all the agent holds",
      agent: ["d", "b"], options: ["-i", "%a"], count: 3),
    Case(
      name: "the agent's keys that files name come first, in the agent's order",
      agent: ["d", "b", "c"], options: ["-i", "%a", "-i", "%c", "-i", "%b"], count: 4),
    Case(
      name: "IdentitiesOnly leaves out what no file names",
      agent: ["d", "c"], options: ["-oIdentitiesOnly=yes", "-i", "%a", "-i", "%c"], count: 2),
    Case(
      name: "a certificate beside its key comes after that key",
      options: ["-i", "%a", "-i", "%b"], beside: ["a", "b"], count: 4),
    Case(
      name: "a certificate beside its key, which the agent holds plain",
      agent: ["d", "b"], options: ["-i", "%a", "-i", "%b"], beside: ["b"], count: 4),
    Case(
      name: "CertificateFile comes first, and then none beside a key counts",
      agent: ["d", "b"],
      options: [
        "-i", "%b", "-i", "%a", "-oCertificateFile=%away/b-cert.pub",
        "-oCertificateFile=%away/a-cert.pub",
      ], beside: ["c"], count: 5),
    Case(
      name: "CertificateFile for a key that only the agent holds",
      agent: ["d", "c"], options: ["-i", "%a", "-oCertificateFile=%away/c-cert.pub"],
      beside: ["a"], count: 4),
    Case(
      name: "a certificate that the agent holds, of a named key",
      agent: ["d", "b+"], options: ["-i", "%a", "-i", "%b"], beside: ["b"], count: 4),
    Case(
      name: "a certificate that the agent holds, of a key that no file names",
      agent: ["b+"], options: ["-i", "%a"], count: 3),
    Case(
      name: "a certificate that only the agent holds is not named by its key",
      agent: ["b+"], options: ["-oIdentitiesOnly=yes", "-i", "%b"], count: 1),
    Case(
      name: "a file that hides its public key, and one with a passphrase",
      agent: ["d"], options: ["-i", "%hidden", "-i", "%locked", "-i", "%a"], count: 4),
    Case(
      name: "the public half names a key of the agent's",
      agent: ["d", "c"], options: ["-i", "%c.pub"], count: 2),
  ]

  @Test("what is offered, key by key", arguments: cases)
  func order(_ row: Case) async throws {
    let server = try SSHServer(
      settings: ["MaxAuthTries 30"],
      config: ["IdentityAgent SSH_AUTH_SOCK"])
    try Files.replace(server.server.folder + "/authorized_keys", with: [UInt8]())
    let made = try await server.shell(
      """
      mkdir "$FOLDER/away"; cd "$FOLDER"
      for name in a b c d; do ssh-keygen -q -t ed25519 -N '' -C "key $name" -f "$name"; done
      for name in a b c; do ssh-keygen -q -s "$SERVER/id_test" -I "$name" -n someone "$name.pub"; done
      ssh-keygen -q -t ecdsa -N '' -m PEM -f hidden; rm hidden.pub
      ssh-keygen -q -t ed25519 -N 'open sesame' -C locked -f locked
      """)
    try #require(made.status == 0, "\(made.error)")
    let agent = try KeyAgent(server.folder)
    // ssh-add takes the certificate beside a key along.
    let certified = row.agent.filter { $0.hasSuffix("+") }.map { String($0.dropLast()) }
    for name in ["a", "b", "c"] where !certified.contains(name) {
      try move("\(name)-cert.pub", to: "away/\(name)-cert.pub", in: server.folder)
    }
    for name in row.agent { try agent.add("\(server.folder)/\(name.filter { $0 != "+" })") }
    for name in ["a", "b", "c"] {
      let (near, far) = ("\(name)-cert.pub", "away/\(name)-cert.pub")
      let isNear = Files.kind(of: "\(server.folder)/\(near)") != nil
      if row.beside.contains(name), !isNear { try move(far, to: near, in: server.folder) }
      if !row.beside.contains(name), isNear { try move(near, to: far, in: server.folder) }
    }

    let options = row.options.map { $0.replacing("%", with: server.folder + "/") }
    var offers: [[String]] = []
    for client in [Client.openSSH, .jitconnect] {
      let run = try await server.run(
        ["-v"] + options + ["box", "true"], as: client,
        environment: ["SSH_AUTH_SOCK": agent.socket])
      #expect(run.status == 255)
      offers.append(
        run.error.filter { $0 != "\r" }.split(whereSeparator: \.isNewline).map(String.init)
          .filter {
            $0.contains(": Offering public key: ") || $0.contains(": Trying private key: ")
          }
      )
    }
    #expect(offers[0].count == row.count + 1, "\(offers[0])")
    #expect(offers[1] == offers[0])
  }

  private func move(_ name: String, to other: String, in folder: String) throws {
    try FileManager.default.moveItem(atPath: "\(folder)/\(name)", toPath: "\(folder)/\(other)")
  }

  @Test("with more keys in the agent than the server's tries, a plain file does no better than ssh")
  func patience() async throws {
    let server = try SSHServer(
      settings: ["MaxAuthTries 2"], config: ["IdentityFile none", "IdentityAgent SSH_AUTH_SOCK"])
    let agent = try KeyAgent(server.folder)
    for name in ["x", "y"] {
      try LoopbackServer.makeKey("\(server.folder)/\(name)")
      try agent.add("\(server.folder)/\(name)")
    }
    let variables = ["SSH_AUTH_SOCK": agent.socket]
    let key = try server.makeKey("ed25519")
    let refused = try await server.compare(["-i", key, "box", "echo in"], environment: variables)
    #expect(refused.ssh.contains("Too many authentication failures"))
    #expect(refused.own.contains("Too many authentication failures"))
    let only = try await server.run(
      ["-oIdentitiesOnly=yes", "-i", key, "box", "echo in"], environment: variables)
    #expect(only.text == "in\n", "\(only.error)")
  }
}
