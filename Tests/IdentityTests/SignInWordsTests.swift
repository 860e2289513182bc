import FoundationEssentials
import Platform
import Testing

@testable import Identity

@Suite struct SignInWordsTests {
  private let person = SignInSubject(
    kind: .azureCLI, credential: "AzureCLICredential", account: "ada@example.com",
    clientID: "client-x", tenant: "tenant-x", scope: "s")
  private let application = SignInSubject(
    kind: .application, credential: "EnvironmentCredential", clientID: "client-x",
    tenant: "tenant-x", scope: "s")

  @Test("no code stands in the table twice")
  func unique() {
    let codes = SignInCode.table.flatMap(\.codes)
    #expect(Set(codes).count == codes.count)
  }

  @Test("every code has words, a next step, and no place left unfilled")
  func complete() {
    for code in SignInCode.table.flatMap(\.codes) {
      for subject in [person, application] {
        let refusal = TokenRefusal(
          error: "invalid_grant", description: "AADSTS\(code): text of the server")
        let failure = Failure.signIn(refusal, status: 400, subject: subject)
        #expect(failure.why?.contains("AADSTS\(code)") == true)
        #expect(failure.next?.isEmpty == false)
        #expect(!"\(failure)\(failure.next ?? "")".contains("{"))
      }
    }
  }

  @Test("an application is not told to sign in as a person would")
  func applicationIsNoPerson() {
    let refusal = TokenRefusal(error: "invalid_grant", description: "AADSTS50076: x")
    #expect(Failure.signIn(refusal, status: 400, subject: application).code == .signInRefused)
    #expect(Failure.signIn(refusal, status: 400, subject: person).code == .signInNeeded)
  }

  @Test(
    "only the first line of a description is shown, without its trace and control characters",
    arguments: [
      "AADSTS1: Bad. Trace ID: t Correlation ID: c Timestamp: x", "AADSTS1: Bad.\r\nTrace ID: t",
      "AADSTS1: Bad.\nnext", "AADSTS1: Bad.\u{1B}[2J Trace ID: t",
    ])
  func firstLine(text: String) {
    let line = TokenRefusal(error: "x", description: text).firstLine ?? ""
    #expect(line.hasPrefix("AADSTS1: Bad."))
    #expect(!line.contains("Trace"))
    #expect(!line.contains("\u{1B}"))
  }

  @Test(
    "refusals of odd forms are read as far as they go",
    arguments: [
      (#"{"error":"invalid_grant"}"#, "invalid_grant"),
      (#"{"error":{"code":"bad","message":"AADSTS50076: m"}}"#, "bad"),
      (#"{"error":"x","error_codes":"50076","error_description":5}"#, "x"),
      (#"{"error":{}}"#, "unknown"),
    ])
  func oddForms(text: String, error: String) throws {
    let refusal = try JSONDecoder().decode(TokenRefusal.self, from: Data(text.utf8))
    #expect(refusal.error == error)
  }

  @Test(
    "claims are merged member by member",
    arguments: [
      (nil, true, #"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#),
      (nil, false, nil),
      (
        #"{"access_token":{"xms_cc":{"values":["x"]}},"id_token":{"a":null,"n":1.5,"b":true,"i":7}}"#,
        true,
        #"{"access_token":{"xms_cc":{"values":["CP1","x"]}},"id_token":{"a":null,"b":true,"i":7,"n":1.5}}"#
      ),
      (#"{"access_token":{"nbf":1}}"#, false, #"{"access_token":{"nbf":1}}"#),
    ] as [(String?, Bool, String?)])
  func claims(challenge: String?, capability: Bool, expected: String?) throws {
    #expect(
      try Claims.parameter(challenge: challenge, declaresCapability: capability) == expected)
  }

  @Test("claims that are no JSON object are refused", arguments: ["", "[]", "{", "1"])
  func badClaims(text: String) async {
    let failure = await failure {
      _ = try Claims.parameter(challenge: text, declaresCapability: true)
    }
    #expect(failure?.code == .azureAnswerInvalid)
  }

  @Test("every code of the contract is in the table")
  func everyContractCode() {
    for code in Self.contract { #expect(SignInCode.entry(for: code) != nil, "\(code)") }
  }

  /// The codes that the sign-in contract wants told in plain words.
  private static let contract = [
    50076, 50074, 50078, 50079, 50072, 53004, 50173, 50132, 50133, 70043, 700082, 70008, 700084,
    50058, 65001, 90094, 90095, 90008, 65004, 65002, 650057, 50105, 53003, 53011, 530032, 50131,
    53000, 53001, 50097, 50005, 50129, 530084, 530036, 50020, 50034, 51004, 90072, 16000, 50014,
    500011, 650052, 500021, 500212, 500213, 50053, 50055, 50057, 50126, 50011, 54005, 70000,
    501481, 70016, 70018, 70019, 700005, 7_000_215, 7_000_222, 7_000_218, 700025, 700016,
    7_000_112, 70001, 700027, 50012, 700030, 700024, 70021, 700211, 700212, 700213, 700229, 90002,
    900023, 90038, 900382, 900432, 50194, 90130, 9_001_023, 50196, 90033, 90006, 90024, 50033,
    90012, 50001, 70011, 28002, 700022,
  ]
}
