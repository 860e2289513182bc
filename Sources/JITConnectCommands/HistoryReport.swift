import Azure
import FoundationEssentials
import JITConnect
import Platform
import Terminal

/// What `history` tells, as its JSON has it.
struct HistoryReport: Encodable {
  struct Entry: Encodable {
    var time: Date?
    var who: String?
    /// Whether the log's entry was found by its time, or names no machine.
    var whoIsInferred: Bool
    /// Whether this user opened it with this program; known until the window's end.
    var isOwn: Bool
    /// The policy whose machines it may be for, where the log names none; absent where it is certain.
    var perhapsOf: String?
    /// Where the call to Azure came from.
    var clientAddress: String?
    var port: Int?
    var sources: [String]
    var end: Date?
    var seconds: Int?
    var reason: String?
    var status: String?
    var correlationId: String?
  }

  var requests: [Entry]
  /// Requests in the log that name no machine and may be for this one.
  var unattributed: Int
  var unread: [String]

  init(_ history: AccessHistory) {
    requests = history.entries.map { entry in
      var seconds: Int?
      if let time = entry.time, let end = entry.end {
        seconds = Int(end.timeIntervalSince(time).rounded())
      }
      return Entry(
        time: entry.time, who: entry.who, whoIsInferred: entry.whoIsInferred,
        isOwn: entry.isOwn, perhapsOf: entry.perhapsOf,
        clientAddress: entry.clientAddress, port: entry.port,
        sources: entry.sources.map(\.text), end: entry.end, seconds: seconds,
        reason: entry.reason, status: entry.status, correlationId: entry.correlationID)
    }
    unattributed = history.unattributed
    unread = history.unread
  }

  func text(for console: Console, now: Date) -> String {
    var table = Table(
      header: ["WHEN", "WHO", "CALLED FROM", "PORT", "LET IN", "FOR", "STATUS", "WHY"])
    table.rows = requests.map { entry in
      [
        timeCell(entry.time, console, now: now),
        whoCell(
          entry.who, isInferred: entry.whoIsInferred && entry.perhapsOf == nil, isOwn: entry.isOwn),
        entry.clientAddress ?? "",
        entry.port.map(String.init) ?? "", entry.sources.joined(separator: ","),
        entry.seconds.map { durationWord(.seconds($0)) } ?? "",
        entry.status.map { statusCell($0, console) } ?? "",
        [entry.reason, entry.perhapsOf.map { "(for a VM of policy \($0), not sure which)" }]
          .compactMap(\.self).joined(separator: " "),
      ]
    }
    return table.text(for: console)
  }
}
