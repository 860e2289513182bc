import FoundationEssentials
import Platform
import Testing

@testable import Identity

/// A real chain of certificates, made with the system's `openssl`: root, intermediate, leaf.
struct CertificateFixture {
  let folder: ScratchFolder

  init() throws {
    folder = try ScratchFolder()
    try make("root", subject: "/CN=Test Root", issuer: nil, isAuthority: true)
    try make("middle", subject: "/CN=Test Issuing", issuer: "root", isAuthority: true)
    try make("leaf", subject: "/CN=app.contoso.example", issuer: "middle", isAuthority: false)
  }

  func path(_ name: String) -> String { folder.path + "/" + name }

  func text(_ name: String) throws -> String {
    String(decoding: try Files.read(path(name)), as: UTF8.self)
  }

  /// Key and certificate of one name, the certificate signed by another.
  private func make(
    _ name: String, subject: String, issuer: String?, isAuthority: Bool
  ) throws {
    try openssl(
      "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", path(name + ".key"), "-out",
      path(name + ".csr"), "-subj", subject)
    try folder.write(
      name + ".ext", "basicConstraints=critical,CA:\(isAuthority ? "TRUE" : "FALSE")\n")
    let signing =
      issuer.map {
        ["-CA", path($0 + ".pem"), "-CAkey", path($0 + ".key"), "-CAcreateserial"]
      } ?? ["-signkey", path(name + ".key")]
    try openssl(
      ["x509", "-req", "-in", path(name + ".csr"), "-days", "2", "-out", path(name + ".pem")]
        + signing + ["-extfile", path(name + ".ext")])
  }

  @discardableResult
  func openssl(_ arguments: String...) throws -> String { try openssl(arguments) }

  @discardableResult
  func openssl(_ arguments: [String], input: [UInt8]? = nil) throws -> String {
    let environment = Environment.current()
    let program = try #require(ChildProcess.find("openssl", in: environment))
    let output = try ChildProcess(
      path: program, arguments: arguments, environment: ["PATH": environment["PATH"] ?? ""]
    ).run(input: input.map { SecretBytes($0) }, timeout: .seconds(60))
    let text = String(decoding: output.standardOutput, as: UTF8.self)
    guard output.ending == .exited(0) else {
      throw FixtureError(
        text: text + String(decoding: output.standardError, as: UTF8.self))
    }
    return text
  }

  /// The variables of an application that signs in with a file of ours.
  func variables(_ name: String, password: String? = nil, sendsIt: String? = nil)
    -> [String: String]
  {
    var variables = [
      "AZURE_TENANT_ID": tenantA, "AZURE_CLIENT_ID": testClient,
      "AZURE_CLIENT_CERTIFICATE_PATH": path(name),
    ]
    variables["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = password
    variables["AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"] = sendsIt
    return variables
  }
}

struct FixtureError: Error {
  var text: String
}
