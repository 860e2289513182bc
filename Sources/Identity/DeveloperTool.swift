import Platform

/// Another program that holds a sign-in and gives tokens of it: az, azd.
struct DeveloperTool: Sendable {
  /// The Azure SDKs' name of its credential.
  var credential: String
  /// Its name on `PATH`.
  var name: String
  /// The command with which a person looks at it.
  var check: String
  var environment: Environment
  var timeout = Duration.seconds(10)

  /// Runs it with no terminal, no secrets of ours and a time limit.
  ///
  /// - Returns: its output, unless it ended badly: then `explain` tells why.
  func run(
    _ arguments: [String], explain: (ChildProcess.Output) -> CredentialError
  ) async throws(CredentialError) -> ChildProcess.Output {
    guard let program = ChildProcess.find(name, in: environment) else {
      throw .unavailable("the program \(name) is not on PATH")
    }
    var variables = environment.withoutSecrets
    // The secrets of a managed identity's endpoint are az's and azd's to use, as they are ours.
    for name in ["IDENTITY_HEADER", "MSI_SECRET"] { variables[name] = environment[name] }
    variables["AZURE_CORE_NO_COLOR"] = "true"
    variables["NO_COLOR"] = "1"
    // Not the current folder: az is Python, which would import modules that lie there.
    let process = ChildProcess(
      path: program, arguments: arguments, environment: variables, directory: "/")
    let timeout = timeout
    let output: ChildProcess.Output
    do {
      output = try await Blocking.run { try process.run(timeout: timeout, ownGroup: true) }
    } catch {
      throw .failed(
        Failure(
          .programFailed, what: "\(credential): \(program) cannot be started", why: "\(error)",
          next: check))
    }
    switch output.ending {
    case .exited(0): return output
    case .exited(127): throw .unavailable("the program \(name) on PATH does not run")
    case .timedOut:
      throw .failed(
        Failure(
          .programFailed,
          what: "\(credential): \(name) gave no token "
            + "within \(timeout.components.seconds) seconds",
          next: "\(check), and try again once it answers"))
    case .exited, .signalled: throw explain(output)
    }
  }

  /// It ran, and what it said is no use.
  func failure(_ why: String?) -> Failure {
    Failure(
      .programFailed, what: "\(credential): \(name) gave no token",
      why: why.map { printable($0, limit: 400) }, next: check)
  }

  /// The line that says most: the one with an error code, else the first that is no warning.
  static func firstMeaningful(_ text: String) -> String {
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    let line =
      lines.first { $0.contains("AADSTS") } ?? lines.first { $0.hasPrefix("ERROR:") }
      ?? lines.first { !$0.hasPrefix("WARNING:") } ?? ""
    return line.hasPrefix("ERROR: ") ? String(line.dropFirst(7)) : line
  }

  /// Without anything that looks like a token.
  static func redacted(_ text: String) -> String {
    text.split(separator: "\"", omittingEmptySubsequences: false).map { part in
      part.split(separator: " ", omittingEmptySubsequences: false).map { word in
        word.count > 60 && !word.contains("/") || word.hasPrefix("eyJ") ? "(removed)" : String(word)
      }.joined(separator: " ")
    }.joined(separator: "\"")
  }
}
