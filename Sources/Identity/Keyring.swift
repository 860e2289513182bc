package import Platform

/// The Secret Service of the desktop, through `secret-tool`: secrets go by its standard input and
/// output, never by its arguments.
package struct Keyring: Sendable {
  /// What an item is found by; nothing in it is secret.
  struct Item: Sendable {
    enum Kind: String, Sendable { case token, account }

    var kind: Kind
    /// A digest of what it is for.
    var name: String

    fileprivate var words: [String] {
      Keyring.application + ["kind", kind.rawValue, "name", name]
    }
  }

  private static let application = ["application", "jitconnect"]
  private let program: String
  private let variables: [String: String]
  private let timeout: Duration

  /// - Throws: `token-store-unavailable` where there is no `secret-tool`.
  package init(_ environment: Environment, timeout: Duration = .seconds(1)) throws(Failure) {
    guard let program = ChildProcess.find("secret-tool", in: environment) else {
      throw Self.unavailable("the program secret-tool is not on PATH")
    }
    self.program = program
    variables = environment.withoutSecrets
    self.timeout = timeout
  }

  /// An item's secret; nil where there is no such item. Blocks, as all here does: see ``Blocking``.
  func secret(of item: Item) throws(Failure) -> SecretBytes? {
    var output = try run(["lookup"] + item.words, isAbsenceAllowed: true)
    defer { overwrite(&output) }
    return output.isEmpty ? nil : SecretBytes(output)
  }

  /// Keeps an item in the place of the one that was there.
  func store(_ secret: SecretBytes, as item: Item) throws(Failure) {
    // More could not be given to a program that does not read yet.
    guard secret.count < 60 << 10 else {
      throw Self.unavailable("the secret is too long for it")
    }
    _ = try run(
      ["store", "--label=jitconnect: sign-in to Azure"] + item.words, input: secret)
  }

  func remove(_ item: Item) throws(Failure) {
    _ = try run(["clear"] + item.words, isAbsenceAllowed: true)
  }

  func removeAll(_ kind: Item.Kind) throws(Failure) {
    _ = try run(
      ["clear"] + Self.application + ["kind", kind.rawValue], isAbsenceAllowed: true)
  }

  private func run(
    _ arguments: [String], input: SecretBytes? = nil, isAbsenceAllowed: Bool = false
  ) throws(Failure) -> [UInt8] {
    let process = ChildProcess(
      path: program, arguments: arguments, environment: variables, directory: "/")
    var output: ChildProcess.Output
    do {
      output = try process.run(input: input, timeout: timeout, ownGroup: true)
    } catch {
      throw Self.unavailable("\(program) cannot be started: \(error)")
    }
    let said = printable(String(decoding: output.standardError, as: UTF8.self), limit: 300)
    switch output.ending {
    case .exited(0): return output.standardOutput
    // secret-tool's way to say that there is no such item.
    case .exited(1) where isAbsenceAllowed && said.isEmpty: return []
    case .timedOut:
      throw Self.unavailable(
        "secret-tool gave no answer within \(timeout.components.seconds) s: "
          + "the keyring may be locked")
    case .exited, .signalled:
      throw Self.unavailable(said.isEmpty ? "secret-tool failed" : said)
    }
  }

  private static func unavailable(_ why: String) -> Failure {
    Failure(
      .tokenStoreUnavailable, what: "the keyring cannot be used", why: why,
      next: "unlock it (secret-tool comes with libsecret), or keep sign-ins in a file: "
        + "-o JitTokenStore=file")
  }

  /// Runs `body` on a thread that may be blocked.
  func use<Value: Sendable>(
    _ body: @escaping @Sendable (Keyring) throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    do {
      return try await Blocking.run { [self] in try body(self) }
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Self.unavailable("\(error)")
    }
  }
}
