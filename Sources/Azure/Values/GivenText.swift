/// Texts that Azure gives and that end in files, argv and names of files: taken only in the form
/// they are documented to have, so that none can say more there than it should.
enum GivenText {
  /// A GUID, lower-cased, such as a `vmId`; nil where it is none.
  static func guid(_ text: String?) -> String? {
    guard let text else { return nil }
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.map(\.count) == [8, 4, 4, 4, 12], parts.joined().allSatisfy(isHexadecimal) else {
      return nil
    }
    return text.lowercased()
  }

  /// A DNS name; nil where it holds anything but letters, digits, dots and dashes.
  static func hostName(_ text: String?) -> String? {
    guard let text, (1...253).contains(text.utf8.count), !text.hasPrefix("-"),
      text.utf8.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) })
    else { return nil }
    return text
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    isAlphanumeric(byte) && (byte | 0x20) <= UInt8(ascii: "f")
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }
}
