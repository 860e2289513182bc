import Azure
import FoundationEssentials
import JITConnect
import Platform
import Terminal

/// What became of the ports that were asked for: the JSON of `request`.
struct AccessReport: Encodable {
  struct Window: Encodable {
    var vm: String
    var id: String?
    var port: Int?
    /// `open` (it answers), `requested` (nobody waited), `failed`, or `planned` in a dry run.
    var state: String
    /// Whether it was open before.
    var wasOpen: Bool
    var sources: [String]
    var end: Date?
    /// Where to connect.
    var address: String?
    var connectPort: Int?
    var error: FailureReport.Body?
  }

  var windows: [Window]
  /// Of a dry run alone.
  var calls: [CallsReport.Call]?

  init(_ accesses: [PortAccess], calls named: [RESTCall]?) {
    windows = accesses.map { access in
      let state =
        if access.failure != nil {
          "failed"
        } else if access.answers == true {
          "open"
        } else if named != nil, access.window == nil {
          "planned"
        } else {
          "requested"
        }
      return Window(
        vm: access.name, id: access.machine?.id.text, port: access.port, state: state,
        wasOpen: access.window?.isReused ?? false,
        sources: access.window?.sources.map(\.text) ?? [], end: access.window?.end,
        address: access.address, connectPort: access.window == nil ? nil : access.connectPort,
        error: access.failure.map { FailureReport($0).error })
    }
    calls = named.map { CallsReport($0).calls }
  }

  func text(for console: Console, now: Date) -> String {
    var table = Table(header: ["VM", "PORT", "STATE", "FROM", "UNTIL", "CONNECT TO"])
    table.rows = windows.map { window in
      [
        window.vm, window.port.map(String.init) ?? "",
        window.error.map { "\(window.state): \($0.code)" } ?? window.state,
        window.sources.joined(separator: ","), timeCell(window.end, console, now: now),
        [window.address, window.connectPort.map(String.init)].compactMap(\.self)
          .joined(separator: ":"),
      ]
    }
    return table.text(for: console)
  }
}

/// A time in a table: local for people, ISO 8601 in a pipe.
func timeCell(_ date: Date?, _ console: Console, now: Date) -> String {
  guard let date else { return "" }
  return console.outputIsTerminal ? localTimeText(date, now: now) : date.formatted(.iso8601)
}

/// Who asked, in a table: an inferred name says so, and so does this user's own.
func whoCell(_ name: String?, isInferred: Bool, isOwn: Bool) -> String {
  guard let name else { return isOwn ? "you" : "" }
  if isOwn { return "\(name) (you)" }
  return isInferred ? "\(name) (inferred)" : name
}

/// The status of a request in a table: words for people, Azure's own in a pipe.
func statusCell(_ status: String, _ console: Console) -> String {
  guard console.outputIsTerminal else { return status }
  return switch status.lowercased() {
  case "initiating", "initiating (userrequested)": "opening"
  case "initiated", "initiated (userrequested)": "open"
  case "revoked (expired)": "expired"
  case "revoked (newerrequestinitiated)": "replaced by a newer one"
  case "revoked (userrequested)", "revoked": "revoked"
  default: status
  }
}
