import Azure
import FoundationEssentials
import JITConnect
import Platform
import Terminal

/// What `close` did, as its JSON has it.
struct CloseReport: Encodable {
  struct Window: Encodable {
    var vm: String
    var id: String
    var port: Int
    var sources: [String]
    /// `rule-deleted`, `over`, `superseded`, `left`, `not-yours`, or `planned` in a dry run.
    var outcome: String
    /// When it ends; absent where it is over.
    var end: Date?
    var requestor: String?
    /// Why it is left.
    var why: String?
  }

  var windows: [Window]
  /// What could not be closed or looked at; absent where all went well.
  var errors: [FailureReport.Body]?
  /// Of a dry run alone.
  var calls: [CallsReport.Call]?

  init(_ closed: [ClosedWindow], _ failures: [Failure], calls named: [RESTCall]? = nil) {
    calls = named.map { CallsReport($0).calls }
    errors = failures.isEmpty ? nil : failures.map { FailureReport($0).error }
    windows = closed.map { closed in
      var window = Window(
        vm: closed.machine.name, id: closed.machine.id.text, port: closed.port,
        sources: closed.sources.map(\.text), outcome: "")
      switch closed.ending {
      case .ruleDeleted: window.outcome = "rule-deleted"
      case .over: window.outcome = "over"
      case .planned(let end): (window.outcome, window.end) = ("planned", end)
      case .superseded(let end): (window.outcome, window.end) = ("superseded", end)
      case .left(let end, let stay):
        (window.outcome, window.end, window.why) = ("left", end, stay.why)
      case .notOwn(let who, let end):
        (window.outcome, window.end, window.requestor) = ("not-yours", end, who)
      }
      return window
    }
  }

  /// That a window stays, until when, and what to type next; nil where it does not.
  static func failure(_ closed: ClosedWindow, _ common: VerbOptions, now: Date) -> Failure? {
    guard case .left(let end, let stay) = closed.ending else { return nil }
    let machine = closed.machine.shortPath
    func retype(_ verb: String, keepsOthers: Bool = false) -> String {
      var command = RetypedCommand(verb, common)
      command.add("--keep-others", if: keepsOthers)
      return command.text([verb == "close" ? "\(machine):\(closed.port)" : machine])
    }
    let next =
      switch stay.remedy {
      case .deleteElsewhere(let rules):
        "whoever may: " + rules.map { ShuttingRule.deleting($0) }.joined(separator: " && ")
      case .keepOthers: retype("close", keepsOthers: true)
      case .again: "in a moment: " + retype("close")
      case nil: retype("status")
      }
    return Failure(
      .windowNotClosed,
      what: "port \(closed.port) of \(closed.machine.name) "
        + "\(stay.isOpen ? "stays" : "may still") open until \(localTimeText(end, now: now))",
      why: stay.why, next: next)
  }

  /// An outcome for people.
  private static func words(_ outcome: String) -> String {
    switch outcome {
    case "rule-deleted": "rule deleted"
    case "over": "over already"
    case "superseded": "shorter request made"
    case "left": "stays open"
    case "not-yours": "not yours"
    default: outcome
    }
  }

  func text(for console: Console, now: Date) -> String {
    var table = Table(header: ["VM", "PORT", "FROM", "OUTCOME", "UNTIL", "WHO"])
    table.rows = windows.map { window in
      [
        window.vm, "\(window.port)", window.sources.joined(separator: ","),
        console.outputIsTerminal ? Self.words(window.outcome) : window.outcome,
        timeCell(window.end, console, now: now), window.requestor ?? "",
      ]
    }
    return table.text(for: console)
  }
}
