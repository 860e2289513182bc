/// An IPv4 address.
struct IPv4: Sendable, Equatable {
  let value: UInt32

  init(_ value: UInt32) { self.value = value }

  /// Four decimal parts, without leading zeros.
  init?(text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy({ $0.isASCII && $0.isNumber }),
        part.count == 1 || part.first != "0", let byte = UInt8(part)
      else { return nil }
      value = value << 8 | UInt32(byte)
    }
    self.value = value
  }

  var text: String {
    "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
  }
}

/// An address or a block, as a rule's source names it.
struct IPv4Block: Sendable, Equatable {
  let base: UInt32
  let length: Int

  /// `203.0.113.7` or `203.0.113.0/24`; `*` is every address.
  init?(text: String) {
    if text == "*" {
      (base, length) = (0, 0)
      return
    }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let address = IPv4(text: parts[0]) else { return nil }
    var length = 32
    if parts.count == 2 {
      guard let given = Int(parts[1]), (0...32).contains(given) else { return nil }
      length = given
    }
    self.length = length
    base = address.value & Self.mask(length)
  }

  private static func mask(_ length: Int) -> UInt32 {
    length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length)
  }

  func contains(_ other: IPv4Block) -> Bool {
    other.length >= length && other.base & Self.mask(length) == base
  }

  func contains(_ address: String) -> Bool {
    IPv4Block(text: address).map(contains) ?? false
  }
}
