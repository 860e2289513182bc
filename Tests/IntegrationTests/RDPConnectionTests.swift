import AzureSimulator
import FoundationEssentials
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private let freeRDP = ["xfreerdp3", "xfreerdp"].first {
  ChildProcess.find($0, in: Environment.current()) != nil
}

/// The whole way with a real client and a real server: the simulator's gate, xrdp behind it, FreeRDP
/// on a display without a screen.
@Suite(
  .limited,
  .enabled(
    if: DesktopServer.program != nil && VirtualDisplay.program != nil && freeRDP != nil,
    "needs package xrdp, freerdp2-x11 or freerdp3-x11, and xvfb"))
struct RDPConnectionTests {
  private let server: DesktopServer
  private let display: VirtualDisplay
  private let stage: Stage
  private let client: String
  private let environment: [String: String?]

  init() async throws {
    server = try await Blocking.run { try DesktopServer() }
    display = try await Blocking.run { try VirtualDisplay() }
    stage = try Stage.desktop(backend: .server(address: "127.0.0.1", port: server.port))
    client = try #require(freeRDP)
    // The real client, which ends when the connection stands. It has nobody to ask for a password;
    // the server asks for none.
    var environment = try stage.provideClient(
      client,
      "exec \(ChildProcess.find(client, in: Environment.current()) ?? "") \"$@\" /p:x +auth-only")
    environment["DISPLAY"] = display.name
    self.environment = environment
  }

  @Test("a bare Windows VM with --open is a connection that stands, by the file as it was made")
  func bare() async throws {
    let run = try await stage.run(["--open", "winvm"], environment: environment)
    #expect(run.status == 0, "\(run.error)\n\(server.log)")
    #expect(run.output.isEmpty)
    #expect(server.log.contains("ada"), "\(server.log)")
    let given = Stage.settings(try Files.read(stage.folder + "/given"))
    #expect(given.contains { $0.hasPrefix("full address:s:") && $0.hasSuffix(":3389") })
    #expect(stage.clientWords.last == "/cert:deny,fingerprint:sha256:\(server.fingerprint)")
  }

  @Test("signed, the file serves FreeRDP all the same, and openssl finds the signature good")
  func signed() async throws {
    try await stage.makeSigner()
    let run = try await stage.run(
      [
        "rdp", "--open", "--sign", stage.folder + "/signer.pem", "--sign-key",
        stage.folder + "/signer.key", "winvm",
      ], environment: environment)
    #expect(run.status == 0, "\(run.error)\n\(server.log)")
    #expect(try await stage.verifySignature(of: "given"))
  }

  @Test("FreeRDP refuses another certificate than the one that was seen, without a question")
  func held() async throws {
    let file = try await stage.run(["winvm"])
    #expect(file.status == 0, "\(file.error)")
    try Files.replace(stage.folder + "/work/a.rdp", with: file.output)
    var variables = stage.environment
    for (name, value) in environment { variables[name] = value }
    let other = "00:" + server.fingerprint.dropFirst(3)
    let run = try await Running(
      ["./a.rdp", "/cert:deny,fingerprint:sha256:\(other)"], of: stage.folder + "/bin/" + client,
      environment: variables, directory: stage.folder + "/work"
    ).finish()
    #expect(run.status != 0)
    #expect(!run.error.contains("Could not read answer"))
    #expect(!server.log.contains("ada"))
  }

  @Test("the first run pins the server's certificate, and a later one knows it")
  func pinned() async throws {
    for _ in 0..<2 {
      let run = try await stage.run(["rdp", "--json", "winvm"])
      #expect(run.status == 0, "\(run.error)")
      #expect(run.text.contains(server.fingerprint))
    }
    #expect(
      stage.read("state/jitconnect/rdp-certificates.json")?.contains(server.fingerprint) == true)
  }

  @Test(
    "through the VM's SSH server the client goes to a port of loopback, and only SSH is opened",
    .enabled(if: LoopbackServer.program != nil, "needs package openssh-server"))
  func throughSSH() async throws {
    let ssh = try await Blocking.run { try LoopbackServer() }
    var windows = Stage.windows(
      port: 0, backend: .server(address: "127.0.0.1", port: ssh.port))
    windows.adminUsername = Environment.current().userName
    let stage = try Stage(
      Stage.configuration(
        machines: [windows], policies: [SimulatedPolicy(machine: "winvm", ports: .init(0))]),
      server: ssh)
    let real = ChildProcess.find(client, in: Environment.current()) ?? ""
    var environment = try stage.provideClient(client, "exec \(real) \"$@\" /p:x +auth-only")
    environment["DISPLAY"] = display.name
    let words = stage.options("winvm") + ["--open", "--via-ssh=\(server.port)", "winvm"]
    // The verb, and the bare VM; the second time SSH's window is open and its key pinned.
    for arguments in [["rdp"] + words, words] {
      let run = try await stage.run(arguments, environment: environment)
      #expect(run.status == 0, "\(run.error)\n\(server.log)")
      let given = Stage.settings(try Files.read(stage.folder + "/given"))
      #expect(given.first?.hasPrefix("full address:s:127.0.0.1:") == true, "\(given)")
      #expect(stage.clientWords.last == "/cert:deny,fingerprint:sha256:\(server.fingerprint)")
    }
    #expect(server.log.contains("Client supplied") || server.log.contains("root"), "\(server.log)")
    let opened = stage.requests.flatMap { request in
      request["virtualMachines"]?.elements?.first?["ports"]?.elements ?? []
    }
    #expect(opened.allSatisfy { $0["number"] == JSON(stage.port("winvm")) })
    #expect(stage.leftOver.isEmpty)
  }
}

extension Stage {
  /// Whether openssl takes the signature of an .rdp file in this stage's folder for good.
  func verifySignature(of name: String) async throws -> Bool {
    let bytes = try Files.read("\(folder)/\(name)")
    guard bytes.starts(with: [0xFF, 0xFE]) else { throw Problem("\(name) is not UTF-16LE") }
    let lines = Self.settings(bytes)
    func value(_ key: String) -> String? {
      lines.first { $0.hasPrefix(key + ":s:") }.map { String($0.dropFirst(key.count + 3)) }
    }
    guard let scope = value("signscope"),
      let blob = value("signature").flatMap({ Data(base64Encoded: $0) })
    else { return false }
    // Anew by the table of rdp.md §8, not by the program's own code.
    var canonical = ""
    for field in scope.split(separator: ",") {
      guard let line = lines.first(where: { $0.hasPrefix(field.lowercased() + ":") }) else {
        return false
      }
      canonical += line + "\r\n"
    }
    canonical += "signscope:s:\(scope)\r\n\0"
    try Files.replace("\(folder)/sig.der", with: blob.dropFirst(12))
    try Files.replace(
      "\(folder)/canonical", with: canonical.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
    let purpose = "-CAfile ca.pem -purpose any -out verified"
    let run = try? await openssl(
      "cms -verify -binary -inform DER -in sig.der -content canonical \(purpose)")
    return run != nil
  }

  /// Files that a run has made for a client and not taken away.
  var leftOver: [String] {
    writtenFiles.filter { $0.hasPrefix("tmp/") }
  }
}
