import ArgumentParser
import Azure
import JITConnect
import Platform
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The options of the verbs that write policies.
struct PolicyOptions: ParsableArguments {
  @Flag(help: "Print the calls as az rest lines, or as JSON; write nothing.")
  var dryRun = false

  @Option(
    name: .customLong("print"),
    help: ArgumentHelp(
      "Print the policy instead of writing it.", valueName: "format"))
  var format: PolicyPrint?

  @Flag(help: "Take out entries of deleted VMs where Azure refuses the policy for them.")
  var dropDeleted = false

  /// Prints what would be written, where that was asked for.
  ///
  /// - Parameters:
  ///   - asJSON: whether the calls of a dry run are a JSON document.
  ///   - more: calls that would follow.
  /// - Returns: whether it was.
  func print(
    _ plans: [PolicyPlan], _ work: PolicyWork, asJSON: Bool, more: [RESTCall] = []
  ) async throws -> Bool {
    guard dryRun || format != nil else { return false }
    var prepared: [PolicyWork.Prepared] = []
    for plan in plans { prepared.append(try await work.prepare(plan)) }
    work.progress.finish()
    // A dry run is about what would happen; a printed policy is wanted also where nothing would.
    if format == nil { prepared.removeAll(where: \.diff.isEmpty) }
    if asJSON, format == nil {
      try JSONOutput.write(CallsReport(prepared.map(\.call) + more))
      return true
    }
    var text = try (format ?? .rest).text(prepared)
    if format == nil { text += more.map { $0.azLine + "\n" }.joined() }
    try writeAll(STDOUT_FILENO, text.utf8)
    return true
  }
}

extension PolicyPrint: ExpressibleByArgument {}
