import FoundationEssentials
import Platform
import Testing

@testable import RDP

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private let environment = Environment.current()
private let opensslProgram = ChildProcess.find("openssl", in: environment)

/// A folder of its own, with the `openssl` program to look at signatures from outside.
private final class Workshop {
  let folder: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.path + "/rdp-\(UUID().uuidString)"
    try Files.makeDirectory(folder)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func run(_ arguments: String) throws -> ChildProcess.Output {
    try ChildProcess(
      path: #require(opensslProgram), arguments: arguments.split(separator: " ").map(String.init),
      environment: ["PATH": "/usr/bin:/bin", "HOME": folder], directory: folder
    ).run(timeout: .seconds(60))
  }

  /// What it prints; ending with another status than 0 fails the test.
  @discardableResult
  func openssl(_ arguments: String) throws -> String {
    let output = try run(arguments)
    #expect(
      output.ending == .exited(0),
      "\(arguments): \(String(decoding: output.standardError, as: UTF8.self))")
    return String(decoding: output.standardOutput, as: UTF8.self)
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Files.replace("\(folder)/\(name)", with: bytes)
  }

  func secret(_ name: String) throws -> SecretBytes {
    SecretBytes(try Files.read("\(folder)/\(name)"))
  }

  /// `ca.pem`, and `NAME.pem` with `NAME.key` made by it.
  func makeCertificate(_ name: String, key: String = "rsa:2048", days: Int = 30) throws {
    if Files.kind(of: "\(folder)/ca.pem") == nil {
      try openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Root")
    }
    try openssl("req -new -newkey \(key) -nodes -keyout \(name).key -out csr -subj /CN=\(name)")
    try openssl(
      "x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -days \(days) -out \(name).pem")
  }
}

@Suite(.enabled(if: opensslProgram != nil, "needs package openssl"))
struct RDPSignatureTests {
  private let workshop: Workshop
  private let file: RDPFile

  init() throws {
    workshop = try Workshop()
    file = try RDPFile(RDPOptions(host: "web1.example.com", port: 3389, user: "azureuser"))
  }

  @Test("the signed bytes are those of the sample that a Windows server made")
  func vector() throws {
    let host = "RDVB9-101184.rdvteam.stbtest.microsoft.com"
    let sample = RDPFile(settings: [
      RDPSetting("full address", host), RDPSetting("alternate full address", host),
      RDPSetting("use redirection server name", 1), RDPSetting("server port", 3389),
      RDPSetting("gatewayusagemethod", 2), RDPSetting("gatewayprofileusagemethod", 0),
      RDPSetting("gatewaycredentialssource", 0), RDPSetting("promptcredentialonce", 1),
      RDPSetting("alternate shell", "||cmd"), RDPSetting("remoteapplicationprogram", "||cmd"),
      RDPSetting("remoteapplicationmode", 1), RDPSetting("remoteapplicationname", "cmd.exe"),
      RDPSetting("remoteapplicationcmdline", ""), RDPSetting("authentication level", 0),
      RDPSetting("redirectdrives", 1), RDPSetting("redirectprinters", 0),
      RDPSetting("redirectcomports", 1), RDPSetting("redirectsmartcards", 0),
      RDPSetting("redirectclipboard", 0), RDPSetting("devicestoredirect", ""),
      RDPSetting("drivestoredirect", "*"),
      RDPSetting("loadbalanceinfo", "tsv://MS Terminal Services Plugin.1.RDVB9-101184"),
    ])
    let bytes = RDPSignature.canonicalBytes(sample, scope: RDPSignature.scope(of: sample))
    #expect(bytes.count == 2276)
    try workshop.write("canonical", bytes)
    #expect(
      try workshop.openssl("dgst -sha1 -r canonical")
        .hasPrefix("a24fc2a6bce97c08da2c82e83c663300bbc02a0d"))
    #expect(
      try workshop.openssl("dgst -sha256 -r canonical")
        .hasPrefix("14abe69edeaf6bd2b85bfa7e4769c7d6a78eee7b0746e4d90e16a27f461a510d"))
  }

  @Test("a signed file says whom it is for twice, and its signature is one that openssl makes too")
  func signature() throws {
    try workshop.makeCertificate("signer")
    let signer = try RDPSigner(
      certificate: workshop.secret("signer.pem"), key: workshop.secret("signer.key")
    ) { nil }
    let signed = try RDPSignature.signed(file, by: signer)
    #expect(signed["alternate full address"] == signed["full address"])
    #expect(signed.settings.suffix(2).map(\.name) == ["signscope", "signature"])
    #expect(signed.isSigned)
    #expect(signed.bytesForPipe == signed.bytes)
    #expect(try RDPFile.parse(signed.bytes) == signed)

    let blob = try #require(Data(base64Encoded: signed["signature"] ?? "")).map { $0 }
    #expect(signed["signature"]?.hasPrefix("AQABAAEAAA") == true)
    #expect(blob.prefix(8) == [1, 0, 1, 0, 1, 0, 0, 0])
    let length = blob[8..<12].reversed().reduce(0) { $0 << 8 | Int($1) }
    #expect(length == blob.count - 12)
    try workshop.write("sig.der", Array(blob.dropFirst(12)))
    let scope = (signed["signscope"] ?? "").split(separator: ",").map(String.init)
    try workshop.write("canonical", RDPSignature.canonicalBytes(signed, scope: scope))
    try workshop.openssl(
      "cms -verify -binary -inform DER -in sig.der -content canonical -CAfile ca.pem"
        + " -purpose any -out verified")
    try workshop.openssl(
      "smime -sign -binary -noattr -nosmimecap -outform DER -signer signer.pem -inkey signer.key"
        + " -md sha256 -in canonical -out expected.der")
    #expect(try Files.read("\(workshop.folder)/expected.der") == Array(blob.dropFirst(12)))
  }

  @Test("every covered line is held: a changed byte of any of them fails, another signer too")
  func tampered() throws {
    try workshop.makeCertificate("signer")
    let signer = try RDPSigner(
      certificate: workshop.secret("signer.pem"), key: workshop.secret("signer.key")
    ) { nil }
    let signed = try RDPSignature.signed(file, by: signer)
    let blob = try #require(Data(base64Encoded: signed["signature"] ?? ""))
    try workshop.write("sig.der", Array(blob.dropFirst(12)))
    let scope = (signed["signscope"] ?? "").split(separator: ",").map(String.init)
    #expect(scope.contains("RedirectClipboard") && scope.contains("Alternate Full Address"))
    func verify(_ file: RDPFile, _ scope: [String]) throws -> Bool {
      try workshop.write("canonical", RDPSignature.canonicalBytes(file, scope: scope))
      let output = try workshop.run(
        "cms -verify -noverify -binary -inform DER -in sig.der -content canonical -out verified")
      return output.ending == .exited(0)
    }
    #expect(try verify(signed, scope))
    for name in scope {
      var changed = signed
      let index = try #require(changed.settings.firstIndex { $0.name == name.lowercased() })
      changed.settings[index] = RDPSetting(
        changed.settings[index].name, changed.settings[index].value + "x")
      #expect(try !verify(changed, scope), "\(name)")
    }
    #expect(try !verify(signed, scope.dropLast()))
  }

  @Test("signing again replaces the signature and adds nothing else")
  func again() throws {
    try workshop.makeCertificate("signer")
    let signer = try RDPSigner(
      certificate: workshop.secret("signer.pem"), key: workshop.secret("signer.key")
    ) { nil }
    let once = try RDPSignature.signed(file, by: signer)
    #expect(try RDPSignature.signed(once, by: signer) == once)
  }

  @Test("PEM in one file in any order, an encrypted key, and PKCS#12 give the same signature")
  func forms() throws {
    try workshop.makeCertificate("signer")
    try workshop.openssl(
      "pkcs8 -topk8 -in signer.key -out locked.key -passout pass:open")
    try workshop.openssl(
      "pkcs12 -export -inkey signer.key -in signer.pem -certfile ca.pem -passout pass:open"
        + " -out locked.p12")
    try workshop.openssl(
      "pkcs12 -export -inkey signer.key -in signer.pem -certfile ca.pem -passout pass: -out open.p12"
    )
    let parts = try ["ca.pem", "signer.key", "signer.pem"].flatMap {
      try Files.read("\(workshop.folder)/\($0)")
    }
    try workshop.write("all.pem", parts)
    var asked = 0
    let open: () -> SecretBytes? = {
      asked += 1
      return SecretBytes("open".utf8)
    }
    func blob(_ certificate: String, _ key: String? = nil) throws -> String? {
      let signer = try RDPSigner(
        certificate: workshop.secret(certificate), key: key.map { try workshop.secret($0) },
        passphrase: open)
      #expect(signer.publisher == "signer")
      #expect(signer.thumbprint.utf8.count == 64)
      return try RDPSignature.signed(file, by: signer)["signature"]
    }
    let alone = try blob("signer.pem", "signer.key")
    #expect(asked == 0)
    #expect(try blob("signer.pem", "locked.key") == alone)
    #expect(asked == 1)
    let chain = try blob("all.pem")
    #expect(chain != alone)
    #expect(try blob("locked.p12") == chain)
    #expect(asked == 2)
    #expect(try blob("open.p12") == chain)
    #expect(asked == 2)
  }

  @Test("what cannot sign is an error that says why, and never holds the input")
  func refused() throws {
    try workshop.makeCertificate("signer")
    try workshop.makeCertificate("other")
    try workshop.makeCertificate("curve", key: "ec -pkeyopt ec_paramgen_curve:P-256")
    try workshop.makeCertificate("old", days: -1)
    try workshop.openssl("pkcs8 -topk8 -in signer.key -out locked.key -passout pass:open")
    try workshop.openssl(
      "pkcs12 -export -inkey signer.key -in signer.pem -passout pass:open -out locked.p12")
    try workshop.write("junk", Array("nothing of use\n".utf8))
    try workshop.write("der", [0x30, 0x82, 0xFF, 0xFF])
    try workshop.write("empty", [])
    let table: [(certificate: String, key: String?, passphrase: String?, why: String)] = [
      ("signer.pem", "other.key", nil, "the key belongs to none of the certificates"),
      ("curve.pem", "curve.key", nil, "not RSA"),
      ("old.pem", "old.key", nil, "expired"),
      ("signer.pem", "locked.key", nil, "needs a passphrase"),
      ("signer.pem", "locked.key", "shut", "wrong passphrase"),
      ("locked.p12", nil, nil, "needs a passphrase"),
      ("locked.p12", nil, "shut", "mac verify failure"),
      ("signer.pem", nil, nil, "no PEM key"),
      ("junk", nil, nil, "no PEM key"),
      ("junk", "signer.key", nil, "no PEM certificate"),
      ("der", nil, nil, "neither PEM nor PKCS#12"),
      ("empty", nil, nil, "no PEM key"),
    ]
    for row in table {
      let error = #expect(throws: Failure.self, "\(row)") {
        _ = try RDPSigner(
          certificate: workshop.secret(row.certificate),
          key: row.key.map { try workshop.secret($0) }
        ) { row.passphrase.map { SecretBytes($0.utf8) } }
      }
      #expect(error?.code == .rdpSigningFailed)
      #expect(error?.why?.contains(row.why) == true, "\(String(describing: error))")
    }
  }
}
