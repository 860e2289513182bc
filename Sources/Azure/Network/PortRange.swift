/// Ports as a security rule names them: `22`, `20-25`, `*`.
package struct PortRange: Sendable, Hashable, CustomStringConvertible {
  package let first: Int
  package let last: Int

  package static let all = PortRange(first: 0, last: 65535)

  private init(first: Int, last: Int) {
    self.first = first
    self.last = last
  }

  package init?(parsing text: String) {
    if text == "*" {
      self = .all
      return
    }
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let first = Self.port(parts[0]),
      let last = parts.count == 1 ? first : Self.port(parts[1]), first <= last
    else { return nil }
    self.init(first: first, last: last)
  }

  private static func port(_ text: Substring) -> Int? {
    guard (1...5).contains(text.utf8.count), text.allSatisfy({ $0.isASCII && $0.isNumber }),
      let number = Int(text), number <= 65535
    else { return nil }
    return number
  }

  package func contains(_ port: Int) -> Bool { first <= port && port <= last }

  package var description: String {
    if self == .all { return "*" }
    return first == last ? "\(first)" : "\(first)-\(last)"
  }
}
