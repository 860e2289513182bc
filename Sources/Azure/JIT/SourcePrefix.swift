/// Where a connection may come from: an IPv4 address, a block of them, or anywhere.
///
/// Kept as it was written, since Azure may compare texts; two spellings of one block are equal.
package struct SourcePrefix: Sendable, Hashable, CustomStringConvertible {
  package let text: String
  private let first: UInt32?
  /// 32 for a single address, 0 for anywhere; nil for what is no IPv4 at all.
  package let prefixLength: Int?

  /// Reads an IPv4 address, `203.0.113.0/24`, or `*`, `any`, `internet`; nil for anything else,
  /// IPv6 included.
  ///
  /// Bits behind the prefix are allowed and do not count.
  package init?(parsing text: String) {
    self.init(wire: text)
    if prefixLength == nil { return nil }
  }

  /// Reads what Azure sent: a service tag or an IPv6 block stays as it is and contains nothing.
  package init(wire text: String) {
    self.text = text
    if ["*", "any", "internet"].contains(text.lowercased()) {
      first = 0
      prefixLength = 0
      return
    }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let address = Self.address(parts[0]),
      let length = parts.count == 1 ? 32 : Self.number(parts[1], upTo: 32)
    else {
      first = nil
      prefixLength = nil
      return
    }
    first = address & Self.mask(length)
    prefixLength = length
  }

  package static let any = SourcePrefix(wire: "*")

  /// The smallest block that holds all of them; nil where one of them is no IPv4.
  package static func covering(_ prefixes: [SourcePrefix]) -> SourcePrefix? {
    guard var first = prefixes.first?.first, var length = prefixes.first?.prefixLength else {
      return nil
    }
    for prefix in prefixes {
      guard let other = prefix.first, let otherLength = prefix.prefixLength else { return nil }
      length = min(length, otherLength)
      while length > 0, first & mask(length) != other & mask(length) { length -= 1 }
      first &= mask(length)
    }
    let octets = [24, 16, 8, 0].map { String(first >> UInt32($0) & 255) }.joined(separator: ".")
    return SourcePrefix(parsing: length == 32 ? octets : "\(octets)/\(length)")
  }

  /// Who is let in behind a pool of addresses: what covers them, or each alone where that would be
  /// more than 256 addresses.
  package static func pool(_ addresses: [SourcePrefix]) -> [SourcePrefix] {
    guard let covering = covering(addresses), let length = covering.prefixLength, length >= 24
    else { return addresses }
    return [covering]
  }

  /// `*`, `0.0.0.0/0` and their like.
  package var isAny: Bool { prefixLength == 0 }

  /// Its first and last address; nil for what is no IPv4.
  package var bounds: (first: UInt32, last: UInt32)? {
    guard let first, let prefixLength else { return nil }
    return (first, first | ~Self.mask(prefixLength))
  }

  /// Whether every address of `other` lies in this.
  package func contains(_ other: SourcePrefix) -> Bool {
    guard let first, let prefixLength, let otherFirst = other.first,
      let otherLength = other.prefixLength, prefixLength <= otherLength
    else { return false }
    return otherFirst & Self.mask(prefixLength) == first
  }

  package static func == (left: SourcePrefix, right: SourcePrefix) -> Bool {
    guard let first = left.first, left.prefixLength != nil else {
      return right.first == nil && left.text.lowercased() == right.text.lowercased()
    }
    return first == right.first && left.prefixLength == right.prefixLength
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(first)
    hasher.combine(prefixLength)
  }

  package var description: String { text }

  private static func mask(_ length: Int) -> UInt32 {
    length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length)
  }

  /// Four decimal numbers.
  ///
  /// A leading zero is refused: some readers take it for octal.
  private static func address(_ text: Substring) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var address: UInt32 = 0
    for part in parts {
      guard let number = number(part, upTo: 255) else { return nil }
      address = address << 8 | UInt32(number)
    }
    return address
  }

  private static func number(_ text: Substring, upTo limit: Int) -> Int? {
    guard (1...3).contains(text.utf8.count),
      text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      text.utf8.count == 1 || text.first != "0", let number = Int(text), number <= limit
    else { return nil }
    return number
  }
}

extension SourcePrefix: Codable {
  package init(from decoder: any Decoder) throws {
    self.init(wire: try decoder.singleValueContainer().decode(String.self))
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}
