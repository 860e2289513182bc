import AzureSimulator
import FoundationEssentials
import Platform

extension Stage {
  /// One Windows machine `winvm` with its desktop behind the port.
  static func desktop(
    port: Int = 3389,
    backend: SimulatedMachine.Gate.Backend = .remoteDesktop(RemoteDesktopResponder()),
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }
  ) throws -> Stage {
    var configuration = configuration(
      machines: [windows(port: port, backend: backend)],
      policies: [SimulatedPolicy(machine: "winvm", ports: .init(port))])
    change(&configuration)
    return try Stage(configuration)
  }

  /// A Windows machine whose administrator is `ada`.
  static func windows(
    _ name: String = "winvm", port: Int = 3389,
    backend: SimulatedMachine.Gate.Backend = .remoteDesktop(RemoteDesktopResponder())
  ) -> SimulatedMachine {
    var windows = SimulatedMachine(name)
    windows.system = .windows
    windows.adminUsername = "ada"
    windows.gates = [.init(port: port, backend: backend)]
    return windows
  }

  /// The settings of an .rdp file, whatever its encoding.
  static func settings(_ bytes: some Sequence<UInt8>) -> [String] {
    String(decoding: bytes.filter { $0 != 0 && $0 < 0x80 }, as: UTF8.self)
      .split(whereSeparator: \.isNewline).map(String.init)
  }

  /// Puts a program of that name in front of all others; its environment for ``run(_:)``.
  ///
  /// - Parameter script: sh; `$STAGE` is this stage's folder.
  func provide(_ program: String, _ script: String) throws -> [String: String?] {
    let text = "#!/bin/sh\nSTAGE='\(folder)'\n\(script)\n"
    try Files.replace("\(folder)/bin/\(program)", with: text.utf8, mode: 0o700)
    return ["PATH": "\(folder)/bin:" + (environment["PATH"] ?? "")]
  }

  /// A client that notes what it was given, and ends as told.
  func provideClient(_ program: String = "xfreerdp", _ script: String = "exit 0") throws
    -> [String: String?]
  {
    try provide(
      program,
      """
      printf '%s\\n' "$@" > "$STAGE/argv"
      for word in "$@"; do
        case "$word" in *.rdp) cp "$word" "$STAGE/given"; ls -l "$word" > "$STAGE/mode" ;; esac
      done
      env > "$STAGE/env"
      \(script)
      """)
  }

  /// The words that the client of ``provideClient(_:_:)`` was given.
  var clientWords: [String] {
    (read("argv") ?? "").split(separator: "\n").map(String.init)
  }

  /// A certificate that signs: `signer.pem` and `signer.key`, made by `ca.pem`.
  func makeSigner() async throws {
    try await openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Root")
    try await openssl(
      "req -new -newkey rsa:2048 -nodes -keyout signer.key -out csr -subj /CN=Contoso-IT")
    try await openssl(
      "x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out signer.pem")
  }

  /// Runs `openssl` in this stage's folder; what it prints.
  @discardableResult
  func openssl(_ arguments: String) async throws -> String {
    let run = try await Running(
      arguments.split(separator: " ").map(String.init), of: "/usr/bin/openssl",
      environment: ["PATH": "/usr/bin:/bin", "HOME": folder], directory: folder
    ).finish()
    guard run.status == 0 else { throw Problem("openssl \(arguments): \(run.error)") }
    return run.text
  }
}
