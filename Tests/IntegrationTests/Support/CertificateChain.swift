import Platform

/// A real chain of certificates made with the system's `openssl`: an authority, and an application's
/// certificate that it issued.
struct CertificateChain {
  let folder: String
  static let subject = "app.contoso.example"

  init(in folder: String) throws {
    self.folder = folder
    try Self.openssl(
      "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test Issuing",
      "-keyout", "\(folder)/ca.key", "-out", "\(folder)/ca.pem")
    try Self.openssl(
      "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=\(Self.subject)", "-keyout",
      "\(folder)/app.key", "-out", "\(folder)/app.csr")
    try Self.openssl(
      "x509", "-req", "-in", "\(folder)/app.csr", "-days", "2", "-CA", "\(folder)/ca.pem", "-CAkey",
      "\(folder)/ca.key", "-CAcreateserial", "-out", "\(folder)/app.pem")
  }

  func text(_ name: String) throws -> String {
    String(decoding: try Files.read("\(folder)/\(name)"), as: UTF8.self)
  }

  static func openssl(_ arguments: String...) throws {
    let environment = Environment.current()
    guard let program = ChildProcess.find("openssl", in: environment) else {
      throw Problem("no openssl is installed: run Scripts/setup test")
    }
    let output = try ChildProcess(
      path: program, arguments: arguments, environment: ["PATH": environment["PATH"] ?? ""]
    ).run(timeout: .seconds(60))
    guard output.ending == .exited(0) else {
      throw Problem(String(decoding: output.standardError, as: UTF8.self))
    }
  }
}
