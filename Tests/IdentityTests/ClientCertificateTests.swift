import FoundationEssentials
import HTTP
import Platform
import Testing

@testable import Identity

/// Signing in with a certificate, checked with the system's `openssl`.
@Suite struct ClientCertificateTests {
  private func part(_ text: Substring) throws -> JSONValue {
    try JSONDecoder().decode(JSONValue.self, from: Data(try #require(bytes(base64: text))))
  }

  private func member(_ value: JSONValue, _ name: String) -> JSONValue? {
    if case .object(let members) = value { members[name] } else { nil }
  }

  private func assertion(of fixture: ChainFixture) throws -> String {
    try #require(form(of: fixture.login.requests.last)["client_assertion"])
  }

  @Test("the assertion is a PS256 JWT of exactly the documented members, and openssl verifies it")
  func signed() async throws {
    let made = try CertificateFixture()
    try made.folder.write(
      "app.pem", try made.text("root.pem") + made.text("leaf.pem") + made.text("leaf.key"))
    let fixture = ChainFixture(made.variables("app.pem"))
    fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    let token = try await fixture.chain().token(for: .arm)
    #expect(token.source == "EnvironmentCredential")
    var fields = form(of: fixture.login.requests.first)
    let assertion = fields.removeValue(forKey: "client_assertion")
    let parts = try #require(assertion)
      .split(separator: ".", omittingEmptySubsequences: false)
    #expect(
      fields == [
        "grant_type": "client_credentials", "client_id": testClient,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "scope": "https://management.core.windows.net//.default",
        "claims": #"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#,
      ])
    try #require(parts.count == 3)

    let digest = try made.openssl(
      "x509", "-in", made.path("leaf.pem"), "-noout", "-fingerprint", "-sha256")
    let hex = digest.split(separator: "=").last?.replacing(":", with: "").lowercased() ?? ""
    let header = try part(parts[0])
    #expect(
      header
        == .object([
          "alg": .text("PS256"), "typ": .text("JWT"),
          "x5t#S256": .text(
            base64URL(
              try #require(bytes(hex: hex.trimmingASCIISpace)))),
        ]))
    let now = Int64(testNow.timeIntervalSince1970)
    let payload = try part(parts[1])
    guard case .object(var members) = payload else {
      Issue.record("no object")
      return
    }
    let id = members.removeValue(forKey: "jti")
    #expect(id != nil)
    #expect(
      members == [
        "aud": .text(tokenURL(tenantA)), "iss": .text(testClient), "sub": .text(testClient),
        "nbf": .integer(now), "iat": .integer(now), "exp": .integer(now + 600),
      ])

    try made.folder.write("signed", "\(parts[0]).\(parts[1])")
    try Files.replace(made.path("signature"), with: try #require(bytes(base64: parts[2])))
    let key = try made.openssl("x509", "-in", made.path("leaf.pem"), "-noout", "-pubkey")
    try made.folder.write("public.pem", key)
    let verdict = try made.openssl(
      "dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32",
      "-sigopt", "rsa_mgf1_md:sha256", "-verify", made.path("public.pem"), "-signature",
      made.path("signature"), made.path("signed"))
    #expect(verdict.contains("Verified OK"))
  }

  @Test("key and certificates come in any order, as PEM or PKCS#12, with a password or without")
  func forms() async throws {
    let made = try CertificateFixture()
    let (leaf, key, middle) = (
      try made.text("leaf.pem"), try made.text("leaf.key"), try made.text("middle.pem")
    )
    try made.folder.write("key-first.pem", key + leaf + middle)
    try made.folder.write("leaf-last.pem", middle + key + leaf)
    try made.openssl(
      "pkcs8", "-topk8", "-in", made.path("leaf.key"), "-out", made.path("locked.key"), "-passout",
      "pass:opens me")
    try made.folder.write("locked.pem", try made.text("locked.key") + leaf)
    for (name, password) in [("open.p12", ""), ("locked.p12", "opens me")] {
      try made.openssl(
        "pkcs12", "-export", "-inkey", made.path("leaf.key"), "-in", made.path("leaf.pem"),
        "-certfile", made.path("middle.pem"), "-out", made.path(name), "-passout",
        "pass:\(password)")
    }
    for (name, password) in [
      ("key-first.pem", nil), ("leaf-last.pem", nil), ("locked.pem", "opens me"), ("open.p12", nil),
      ("locked.p12", "opens me"),
    ] as [(String, String?)] {
      let fixture = ChainFixture(made.variables(name, password: password))
      fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
      let token = try await fixture.chain().token(for: .arm)
      #expect(token.secret.exposedText == "abc", "\(name)")
    }
    for (name, password, words) in [
      ("locked.pem", nil, "needs a password"), ("locked.pem", "wrong", "password is wrong"),
      ("locked.p12", nil, "needs a password"), ("locked.p12", "wrong", "password is wrong"),
    ] as [(String, String?, String)] {
      let fixture = ChainFixture(made.variables(name, password: password))
      let failure = await failure { _ = try await fixture.chain().token(for: .arm) }
      #expect(failure?.code == .signInRefused)
      #expect(failure?.why?.contains(words) == true, "\(name): \(failure?.why ?? "")")
      #expect(failure?.next?.contains("AZURE_CLIENT_CERTIFICATE_PASSWORD") == true)
      #expect(failure?.why?.contains("wrong\"") != true)
    }
  }

  @Test("the certificate goes along, alone and in standard base64, only when that is asked for")
  func sent() async throws {
    let made = try CertificateFixture()
    try made.folder.write(
      "app.pem", try made.text("leaf.key") + made.text("leaf.pem") + made.text("middle.pem"))
    for (value, isSent) in [("true", true), ("1", true), ("false", false), ("no", false)] {
      let fixture = ChainFixture(made.variables("app.pem", sendsIt: value))
      fixture.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
      _ = try await fixture.chain().token(for: .arm)
      let header = try part(try #require(try assertion(of: fixture).split(separator: ".").first))
      let body = try made.text("leaf.pem").split(separator: "\n").dropFirst().dropLast().joined()
      #expect(member(header, "x5c") == (isSent ? .list([.text(body)]) : nil))
    }
  }

  @Test(
    "what is no certificate with its RSA key is refused with the file's name",
    arguments: ["", "nothing", "\u{30}\u{03}abc", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
  func unusable(content: String) async throws {
    let folder = try ScratchFolder()
    let path = try folder.write("app.pem", content)
    let failure = await refusal(path)
    #expect(failure?.code == .signInRefused)
    #expect(failure?.why?.contains(path) == true)
    let absent = await refusal(folder.path + "/absent.pem")
    #expect(absent?.code == .signInRefused)
    #expect(absent?.what.hasPrefix("EnvironmentCredential") == true)
  }

  @Test("a key of another certificate, and one that is no RSA key, are refused")
  func otherKeys() async throws {
    let made = try CertificateFixture()
    try made.folder.write("other.pem", try made.text("root.key") + made.text("leaf.pem"))
    #expect(
      await refusal(made.path("other.pem"))?.why?.contains("none of the certificates") == true)
    try made.openssl(
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
      "-keyout", made.path("ec.key"), "-out", made.path("ec.pem"), "-subj", "/CN=x")
    try made.folder.write("ec-app.pem", try made.text("ec.key") + made.text("ec.pem"))
    #expect(await refusal(made.path("ec-app.pem"))?.why?.contains("not RSA") == true)
  }

  @Test("a stored token does not open the certificate, and another file's token never serves")
  func stored() async throws {
    let made = try CertificateFixture()
    let state = try ScratchFolder()
    try made.folder.write("app.pem", try made.text("leaf.key") + made.text("leaf.pem"))
    let first = ChainFixture(made.variables("app.pem"), state: state.path)
    first.login.expectToken(tokenURL(tenantA), tokenBody("abc"))
    _ = try await first.chain().token(for: .arm)
    let second = ChainFixture(made.variables("app.pem", password: "unused"), state: state.path)
    #expect(try await second.chain().token(for: .arm).secret.exposedText == "abc")
    try made.folder.write("app.pem", try made.text("root.key") + made.text("root.pem"))
    let third = ChainFixture(made.variables("app.pem"), state: state.path)
    third.login.expectToken(tokenURL(tenantA), tokenBody("other"))
    #expect(try await third.chain().token(for: .arm).secret.exposedText == "other")
  }

  private func refusal(_ path: String) async -> Failure? {
    await failure {
      _ = try await ChainFixture([
        "AZURE_TENANT_ID": tenantA, "AZURE_CLIENT_ID": testClient,
        "AZURE_CLIENT_CERTIFICATE_PATH": path,
      ]).chain().token(for: .arm)
    }
  }
}

private func bytes(hex: String) -> [UInt8]? {
  let digits = Array(hex.utf8)
  guard digits.count.isMultiple(of: 2) else { return nil }
  return stride(from: 0, to: digits.count, by: 2).map { index in
    UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16) ?? 0
  }
}
