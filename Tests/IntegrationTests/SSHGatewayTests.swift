import AzureSimulator
import Testing

/// Who may use a forward: the addresses that are listened on, as the system tells them.
@Suite("Forwards listen where ssh's listen", .limited)
struct SSHGatewayTests {
  /// Prints the addresses at which somebody listens on the port.
  private func listeners(_ port: UInt16) -> String {
    "PATH=$PATH:/usr/sbin:/sbin; ss -Hltn 'sport = :\(port)' | while read -r a b c address d; "
      + "do echo \"$address\"; done | sort"
  }

  private static let gateways = [[], ["-g"], ["-oGatewayPorts=yes"], ["-oGatewayPorts=no"]]

  @Test(
    "-L and -D, with every form of address and GatewayPorts",
    arguments: gateways,
    ["", ":", "*:", "localhost:", "127.0.0.1:", "127.0.0.2:", "0.0.0.0:", "[::1]:", "[::]:"])
  func local(_ gateway: [String], _ address: String) async throws {
    let server = try SSHServer()
    for kind in ["-L", "-D"] {
      let port = try Simulator.freePort()
      let forward = "\(address)\(port)" + (kind == "-L" ? ":127.0.0.1:\(server.port)" : "")
      let words = gateway + [kind, forward, "box", listeners(port)]
      try await server.compare(words)
      // Nothing without an address is open to others unless it was asked for.
      let run = try await server.run(words)
      let isOpen = run.text.contains("0.0.0.0:") || run.text.contains("*:")
      let mayBeOpen =
        [":", "*:", "0.0.0.0:", "[::]:"].contains(address)
        || address.isEmpty && gateway != [] && gateway != ["-oGatewayPorts=no"]
      #expect(!isOpen || mayBeOpen, "\(run.text)")
      #expect(!run.text.isEmpty || address.hasPrefix("["), "\(run.error)")
    }
  }

  @Test(
    "-R asks the server for the same address, whatever its GatewayPorts are",
    arguments: ["no", "yes", "clientspecified"],
    ["", ":", "*:", "localhost:", "127.0.0.2:", "0.0.0.0:"])
  func remote(_ policy: String, _ address: String) async throws {
    let server = try SSHServer(settings: ["GatewayPorts \(policy)"])
    for gateway in [[], ["-g"]] {
      let port = try Simulator.freePort()
      let forward = "\(address)\(port):127.0.0.1:\(server.port)"
      let words = gateway + ["-R", forward, "box", listeners(port)]
      try await server.compare(words)
      #expect(try await server.run(words).text.isEmpty == false)
    }
  }

  @Test("clientspecified is the server's word, and no client's")
  func clientSpecified() async throws {
    let server = try SSHServer()
    let error = try await server.compare(["-oGatewayPorts=clientspecified", "box", "true"])
    #expect(error.own == error.ssh)
  }
}
