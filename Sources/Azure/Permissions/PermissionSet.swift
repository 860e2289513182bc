/// What a caller may do at one scope, as Azure tells it (contract section 6.1).
///
/// Deny assignments, locks and roles that are only eligible do not show in it.
package struct PermissionSet: Sendable, Equatable {
  private struct Grant: Equatable {
    var actions: [String]
    var notActions: [String]
  }

  private let grants: [Grant]

  init(items: [JSONTree]) {
    grants = items.map { item in
      func list(_ name: String) -> [String] {
        (item[name]?.elements ?? []).compactMap { $0.text?.lowercased() }
      }
      return Grant(actions: list("actions"), notActions: list("notActions"))
    }
  }

  /// Whether some grant holds the action and does not take it out again.
  package func allows(_ action: AzureAction) -> Bool {
    let action = action.rawValue.lowercased()
    return grants.contains { grant in
      grant.actions.contains { Self.matches(action, $0) }
        && !grant.notActions.contains { Self.matches(action, $0) }
    }
  }

  /// `*` stands for any run of characters, slashes too.
  static func matches(_ action: String, _ pattern: String) -> Bool {
    let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
    guard let first = parts.first, let last = parts.last, parts.count > 1 else {
      return action == pattern
    }
    guard action.hasPrefix(first) else { return false }
    var rest = action.dropFirst(first.count)
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let range = rest.firstRange(of: part) else { return false }
      rest = rest[range.upperBound...]
    }
    return rest.hasSuffix(last)
  }
}
