/// A JSON value that keeps the order of members and the text of numbers.
///
/// The simulator's own: it shares no type with the client, so that a mistake in one does not hide
/// the same mistake in the other.
package indirect enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  /// The number as written.
  case number(String)
  case string(String)
  case array([JSON])
  case object([Member])

  package struct Member: Sendable, Equatable {
    package var name: String
    package var value: JSON

    package init(_ name: String, _ value: JSON) {
      self.name = name
      self.value = value
    }
  }

  /// A member of an object; nil where there is none, or where this is no object.
  package subscript(_ name: String) -> JSON? {
    get {
      guard case .object(let members) = self else { return nil }
      return members.first { $0.name == name }?.value
    }
    set {
      guard case .object(var members) = self else { return }
      if let index = members.firstIndex(where: { $0.name == name }) {
        if let newValue { members[index].value = newValue } else { members.remove(at: index) }
      } else if let newValue {
        members.append(Member(name, newValue))
      }
      self = .object(members)
    }
  }

  package var text: String? {
    if case .string(let value) = self { return value }
    return nil
  }

  package var elements: [JSON]? {
    if case .array(let value) = self { return value }
    return nil
  }

  package var members: [Member]? {
    if case .object(let value) = self { return value }
    return nil
  }

  package var boolean: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  /// A whole number.
  package var integer: Int? {
    if case .number(let value) = self { return Int(value) }
    return nil
  }

  package var isNull: Bool { self == .null }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByStringInterpolation
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .number(String(value)) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }

  package init(dictionaryLiteral elements: (String, JSON?)...) {
    self = .object(elements.compactMap { name, value in value.map { Member(name, $0) } })
  }

  package init(_ value: Int) { self = .number(String(value)) }
  package init(_ value: String) { self = .string(value) }

  /// A string, or nothing at all.
  package init?(_ value: String?) {
    guard let value else { return nil }
    self = .string(value)
  }
}
