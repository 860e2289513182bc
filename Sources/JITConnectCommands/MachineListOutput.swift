import Azure
import FoundationEssentials
import JITConnect
import Platform
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes the list in one of its forms; all but the tables go out page by page.
struct MachineListOutput {
  enum Form { case tables, lines, json }

  let form: Form
  /// By Azure's clock, which the first answers tell.
  var now: Date { clock() }
  private let clock: @Sendable () -> Date
  let own: OwnWindows
  /// Names of subscriptions by their ids, once they are known.
  var names: [String: String]?
  private var kept: [SurveyedMachine] = []
  private var hasBegun = false
  private var hasItems = false

  init(form: Form, clock: @escaping @Sendable () -> Date, own: OwnWindows) {
    self.form = form
    self.clock = clock
    self.own = own
  }

  /// Opens the JSON with what comes first: a failure before that leaves no half of it.
  private mutating func begin() throws {
    if !hasBegun { try write("{\"machines\":[") }
    hasBegun = true
  }

  mutating func add(_ page: [SurveyedMachine]) throws {
    switch form {
    case .tables: kept += page
    case .lines:
      var table = Table(header: [])
      table.rows = page.map { MachineListRow($0, self).cells }
      try write(table.tabSeparated())
    case .json:
      for item in page {
        try begin()
        let text = JSONOutput.text(MachineListReport(item, self), pretty: false)
        try write((hasItems ? ",\n" : "\n") + text)
        hasItems = true
      }
    }
  }

  mutating func end(_ ending: MachineSurvey.Ending, _ console: Console) throws {
    switch form {
    case .lines: break
    case .json:
      try begin()
      let end = MachineListEnding(ending)
      let text = JSONOutput.text(end, pretty: false)
      // The members that follow the machines.
      try write("\n]," + text.dropFirst() + "\n")
    case .tables:
      try write(tables(console))
      if kept.isEmpty { console.note("no virtual machine in sight fits") }
    }
  }

  private func tables(_ console: Console) -> String {
    let sections: [(SurveyedMachine.State, String)] = [
      (.configured, "Configured"), (.notConfigured, "Not configured"),
      (.unsupported, "Unsupported"), (.unknown, "Cannot be told"),
    ]
    let showsSubscription = Set(kept.map { $0.machine.subscriptionID.lowercased() }).count > 1
    return sections.compactMap { state, title in
      let items = kept.filter { $0.state == state }
      guard !items.isEmpty else { return nil }
      var table = Table(header: MachineListRow.header(state, showsSubscription))
      table.rows = items.map {
        MachineListRow($0, self).cells(for: state, showsSubscription)
      }
      table.dropEmptyColumns()
      return "\(title) (\(items.count))\n"
        + table.aligned(width: console.width, colours: console.outputHasColours)
    }.joined(separator: "\n")
  }

  private func write(_ text: String) throws { try writeAll(STDOUT_FILENO, text.utf8) }

  func subscriptionName(_ machine: VirtualMachine) -> String {
    names?[machine.subscriptionID.lowercased()] ?? machine.subscriptionID
  }
}

extension Table {
  /// Leaves out columns that hold nothing, so that others have their place.
  fileprivate mutating func dropEmptyColumns() {
    let kept = header.indices.filter { column in
      rows.contains { $0.indices.contains(column) && !$0[column].isEmpty }
    }
    header = kept.map { header[$0] }
    rows = rows.map { row in kept.compactMap { row.indices.contains($0) ? row[$0] : nil } }
  }
}
