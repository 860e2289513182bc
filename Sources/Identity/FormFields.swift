/// A received body of `application/x-www-form-urlencoded`, decoded; the first of two fields of one
/// name counts.
struct FormFields: Sendable {
  private var values: [String: String] = [:]

  init(_ body: [UInt8]) {
    for pair in body.split(separator: UInt8(ascii: "&")).prefix(50) {
      let name = pair.prefix { $0 != UInt8(ascii: "=") }
      let key = Self.decoded(name)
      if values[key] == nil { values[key] = Self.decoded(pair.dropFirst(name.count + 1)) }
    }
  }

  subscript(_ name: String) -> String? { values[name] }

  private static func decoded(_ bytes: ArraySlice<UInt8>) -> String {
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        result.append(value)
        rest = rest.dropFirst(2)
      } else {
        result.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
