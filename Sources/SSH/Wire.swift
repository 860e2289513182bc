/// Builds the strings and numbers of RFC 4251 §5.
struct WireWriter {
  private(set) var bytes: [UInt8] = []

  mutating func byte(_ value: UInt8) { bytes.append(value) }

  mutating func uint32(_ value: UInt32) {
    for shift in [24, 16, 8, 0] as [UInt32] {
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  mutating func string(_ value: some Collection<UInt8>) {
    uint32(UInt32(clamping: value.count))
    bytes.append(contentsOf: value)
  }

  mutating func string(_ value: String) { string(Array(value.utf8)) }
}

/// Reads the strings and numbers of RFC 4251 §5; nil where the bytes do not hold what is asked.
struct WireReader {
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: some Collection<UInt8>) { self.bytes = Array(bytes)[...] }

  var isAtEnd: Bool { bytes.isEmpty }
  /// What has not been read.
  var rest: [UInt8] { Array(bytes) }

  mutating func byte() -> UInt8? { bytes.popFirst() }

  mutating func uint32() -> UInt32? {
    guard bytes.count >= 4 else { return nil }
    var value: UInt32 = 0
    for byte in bytes.prefix(4) { value = value << 8 | UInt32(byte) }
    bytes = bytes.dropFirst(4)
    return value
  }

  mutating func uint64() -> UInt64? {
    var copy = self
    guard let high = copy.uint32(), let low = copy.uint32() else { return nil }
    self = copy
    return UInt64(high) << 32 | UInt64(low)
  }

  mutating func string() -> [UInt8]? {
    var copy = self
    guard let length = copy.uint32(), copy.bytes.count >= Int(length) else { return nil }
    let value = Array(copy.bytes.prefix(Int(length)))
    copy.bytes = copy.bytes.dropFirst(Int(length))
    self = copy
    return value
  }

  mutating func text() -> String? { string().map { String(decoding: $0, as: UTF8.self) } }
}
