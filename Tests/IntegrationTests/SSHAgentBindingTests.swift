import Platform
import Testing

@Suite("Keys that the agent gives out for some servers only, beside ssh", .limited)
struct SSHAgentBindingTests {
  /// Two servers that know the same key, and an agent that may use it for the first alone.
  private struct Scene {
    let near: SSHServer
    let far: SSHServer
    let agent: KeyAgent
    let environment: [String: String]

    /// - Parameter isFarAllowed: whether the key may be used from the first server for the second.
    init(settings: [String] = [], rsaHostKey: Int? = nil, isFarAllowed: Bool = false) async throws {
      let config = ["IdentityFile none", "IdentityAgent SSH_AUTH_SOCK"]
      near = try SSHServer(settings: settings, config: config, rsaHostKey: rsaHostKey)
      far = try SSHServer(config: config)
      for server in [near, far] {
        // Only the agent's key is to log in.
        let config = try server.read("config")
        try server.write(
          config.replacing("  IdentityFile \(server.server.key)\n", with: ""), "config")
      }
      agent = try KeyAgent(near.folder)
      environment = ["SSH_AUTH_SOCK": agent.socket]
      let key = try near.makeKey("ed25519")
      try far.authorize(key)
      try near.write(try near.read("known_hosts") + "\n" + (try far.read("known_hosts")), "both")
      let further = isFarAllowed ? "-h '\(near.knownName)>\(far.knownName)'" : ""
      let added = try await near.shell(
        "ssh-add -q -H $FOLDER/both -h '\(near.knownName)' \(further) \(key)",
        environment: environment)
      #expect(added.status == 0, "\(added.error)")
    }
  }

  @Test(
    "a key bound to the server logs in there, whatever the key exchange",
    arguments: [
      "curve25519-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
      "diffie-hellman-group-exchange-sha256", "diffie-hellman-group16-sha512",
      "diffie-hellman-group14-sha256",
    ])
  func login(_ exchange: String) async throws {
    let scene = try await Scene()
    let words = ["-oKexAlgorithms=\(exchange)", "box", "echo in"]
    try await scene.near.compare(words, environment: scene.environment)
    #expect(try await scene.near.run(words, environment: scene.environment).text == "in\n")
    // A server that it is not for.
    try await scene.far.compare(words, environment: scene.environment)
    #expect(try await scene.far.run(words, environment: scene.environment).status == 255)
  }

  @Test("the same with an RSA host key, compression and a cipher with its MAC apart")
  func otherServer() async throws {
    let scene = try await Scene(rsaHostKey: 3072)
    for more in [[], ["-C"], ["-c", "aes256-ctr", "-m", "hmac-sha2-256"]] {
      let words = more + ["box", "echo in"]
      try await scene.near.compare(words, environment: scene.environment)
      #expect(try await scene.near.run(words, environment: scene.environment).text == "in\n")
    }
  }

  @Test(
    "a forwarded agent shows and uses a bound key only where it may be used from there",
    arguments: [false, true])
  func forwarded(isFarAllowed: Bool) async throws {
    let scene = try await Scene(isFarAllowed: isFarAllowed)
    try scene.near.writeProgram(
      """
      #!/bin/sh
      ssh-add -l | cut -d' ' -f1
      exec ssh -F none -o BatchMode=yes -o LogLevel=ERROR -o StrictHostKeyChecking=yes \
        -o UserKnownHostsFile=\(scene.near.folder)/both -p \(scene.far.port) 127.0.0.1 'echo far'
      """, "onward")
    let words = ["-A", "box", "\(scene.near.folder)/onward"]
    try await scene.near.compare(words, environment: scene.environment)
    let run = try await scene.near.run(words, environment: scene.environment)
    #expect(run.text.contains("far\n") == isFarAllowed, "\(run.error)")
  }

  @Test("an agent's other keys are forwarded as before")
  func unbound() async throws {
    let scene = try await Scene()
    try scene.agent.add(scene.near.server.key)
    let words = ["-A", "box", "ssh-add -L | wc -l"]
    try await scene.near.compare(words, environment: scene.environment)
    #expect(try await scene.near.run(words, environment: scene.environment).text == "1\n")
  }
}
