package import Platform

/// A virtual machine as a user names it: `vm`, `group/vm`, or a full resource id.
package enum TargetName: Sendable, Hashable, CustomStringConvertible {
  case name(String)
  case inGroup(String, name: String)
  case id(ResourceID)

  /// Reads a target; anything that can be none of the three is `usage`.
  package init(parsing text: String) throws(Failure) {
    if text.hasPrefix("/") {
      do {
        self = .id(try ResourceID(parsing: text))
      } catch {
        throw Self.refusal(text, error.reason)
      }
      return
    }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2 else {
      throw Self.refusal(text, "a full resource id begins with /subscriptions/")
    }
    for part in parts { try Self.check(part, of: text) }
    self = parts.count == 2 ? .inGroup(parts[0], name: parts[1]) : .name(parts[0])
  }

  /// Letters and digits of any script, and what Azure allows beside them in names of groups and
  /// virtual machines.
  private static func check(_ part: String, of text: String) throws(Failure) {
    guard !part.isEmpty else { throw refusal(text, "a part of it is empty") }
    guard part != ".", part != ".." else { throw refusal(text, "a dot is no name") }
    guard part.count <= 90 else { throw refusal(text, "a name has at most 90 characters") }
    guard !part.hasPrefix("-") else { throw refusal(text, "a name does not begin with a dash") }
    for scalar in part.unicodeScalars
    where
      !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil
      || "-_.()".unicodeScalars.contains(scalar))
    {
      throw refusal(text, "a name holds no '\(printable(String(scalar)))'")
    }
  }

  private static func refusal(_ text: String, _ reason: String) -> Failure {
    Failure(
      .usage, what: "'\(printable(text, limit: 200))' names no virtual machine", why: reason,
      next: "give its name, group/name, or its full resource id")
  }

  /// The name alone, as typed.
  package var name: String {
    switch self {
    case .name(let name), .inGroup(_, let name): name
    case .id(let id): id.name
    }
  }

  package var description: String {
    switch self {
    case .name(let name): name
    case .inGroup(let group, let name): "\(group)/\(name)"
    case .id(let id): id.text
    }
  }
}
