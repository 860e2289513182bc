import AzureSimulator

/// What one run of `doctor` told, read from its JSON.
struct Examination {
  var run: Run
  var findings: [JSON]

  init(_ run: Run) throws {
    self.run = run
    findings = try JSON(parsing: run.output)["findings"]?.elements ?? []
  }

  /// The checks that are not `ok`, with their states.
  var wrong: [String] {
    findings.filter { $0["state"] != "ok" }
      .map { "\($0["check"]?.text ?? "") \($0["state"]?.text ?? "")" }
  }

  func all(_ check: String) -> [JSON] { findings.filter { $0["check"]?.text == check } }

  func text(_ check: String, _ member: String = "text") -> String {
    all(check).compactMap { $0[member]?.text }.joined(separator: "\n")
  }

  func details(_ check: String) -> [String] {
    all(check).flatMap { ($0["details"]?.elements ?? []).compactMap(\.text) }
  }
}

extension Stage {
  func examine(
    _ options: [String] = [], _ target: String = "web1",
    environment: [String: String?] = [:]
  ) async throws -> Examination {
    try Examination(
      try await run(
        ["doctor", target, "-p", "\(port())", "--json"] + options, environment: environment))
  }

  /// Asks for a window to `web1`, as this user.
  func openWindow() async throws -> Run {
    try await run(["request", "web1:\(port())", "--for", "1h", "--no-wait"])
  }
}
