/// A condition of a `where`.
indirect enum GraphFilter {
  case all([GraphFilter])
  case any([GraphFilter])
  /// A column, in lower case where the operator ignores case.
  case equals(String, [String], ignoringCase: Bool)
  case contains(String, String)
  case startsWith(String, String)
  case endsWith(String, String)
  case isNotNull(String)

  init(_ tokens: [GraphQuery.Token]) throws(AzureError) {
    let choices = GraphQuery.split(tokens, at: "or")
    if choices.count > 1 {
      var parts: [GraphFilter] = []
      for choice in choices { parts.append(try GraphFilter(choice)) }
      self = .any(parts)
      return
    }
    let conditions = GraphQuery.split(tokens, at: "and")
    if conditions.count > 1 {
      var parts: [GraphFilter] = []
      for condition in conditions { parts.append(try GraphFilter(condition)) }
      self = .all(parts)
      return
    }
    if let first = tokens.first, let last = tokens.last, first.is("("), last.is(")") {
      self = try GraphFilter(Array(tokens.dropFirst().dropLast()))
      return
    }
    self = try Self.condition(tokens)
  }

  private static func condition(_ tokens: [GraphQuery.Token]) throws(AzureError) -> GraphFilter {
    let text = GraphQuery.canonical(tokens)
    if text.hasPrefix("isnotnull("), text.hasSuffix(")") {
      return .isNotNull(String(text.dropFirst("isnotnull(".count).dropLast()))
    }
    let operators = ["=~", "==", "contains", "startswith", "endswith", "in~", "in"]
    guard let index = tokens.firstIndex(where: { token in operators.contains { token.is($0) } }),
      index > 0
    else { throw GraphQuery.failure(tokens.first, expected: "a condition") }
    let column = GraphQuery.canonical(tokens[..<index])
    let rest = Array(tokens[(index + 1)...])
    let word = tokens[index].value.lowercased()
    if word == "in~" || word == "in" {
      guard let open = rest.first, open.is("("), let close = rest.last, close.is(")") else {
        throw GraphQuery.failure(rest.first, expected: "(")
      }
      var values: [String] = []
      for part in GraphQuery.split(Array(rest.dropFirst().dropLast()), at: ",") {
        guard part.count == 1, part[0].kind == .text else {
          throw GraphQuery.failure(part.first, expected: "a text")
        }
        values.append(part[0].value)
      }
      return .equals(column, values, ignoringCase: word == "in~")
    }
    guard rest.count == 1, rest[0].kind == .text else {
      throw GraphQuery.failure(rest.first, expected: "a text")
    }
    switch word {
    case "contains": return .contains(column, rest[0].value)
    case "startswith": return .startsWith(column, rest[0].value)
    case "endswith": return .endsWith(column, rest[0].value)
    default: return .equals(column, [rest[0].value], ignoringCase: word == "=~")
    }
  }

  /// The columns it reads.
  var columns: [String] {
    switch self {
    case .all(let parts), .any(let parts): return parts.flatMap(\.columns)
    case .equals(let column, _, _), .contains(let column, _), .startsWith(let column, _),
      .endsWith(let column, _), .isNotNull(let column):
      return [column]
    }
  }

  func matches(_ value: (String) -> String) -> Bool {
    switch self {
    case .all(let parts): return parts.allSatisfy { $0.matches(value) }
    case .any(let parts): return parts.contains { $0.matches(value) }
    case .equals(let column, let values, let ignoringCase):
      let text = value(column)
      return values.contains {
        ignoringCase ? $0.lowercased() == text.lowercased() : $0 == text
      }
    case .contains(let column, let part):
      return part.isEmpty || value(column).lowercased().contains(part.lowercased())
    case .startsWith(let column, let part):
      return value(column).lowercased().hasPrefix(part.lowercased())
    case .endsWith(let column, let part):
      return value(column).lowercased().hasSuffix(part.lowercased())
    case .isNotNull(let column): return !value(column).isEmpty
    }
  }

  /// Texts that a column must be one of; nil where anything may be.
  func required(_ column: String) -> [String]? {
    switch self {
    case .equals(column, let values, _): return values
    case .all(let parts): return parts.lazy.compactMap { $0.required(column) }.first
    default: return nil
    }
  }
}
