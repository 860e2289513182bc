import Platform

/// As much of an HTTP request as the receiver looks at.
struct LoopbackRequest: Sendable {
  var method: String
  var path: String
  /// In lower case.
  var host: String
  var isForm: Bool
  var body: [UInt8]

  private static let longestHead = 32 << 10
  private static let longestBody = 64 << 10

  /// Nil for what is no request, is too long, or does not come in time.
  static func read(from descriptor: Int32) -> LoopbackRequest? {
    var bytes: [UInt8] = []
    var head: Range<Int>?
    while head == nil {
      guard bytes.count < longestHead, let more = try? readSome(descriptor, limit: 16 << 10),
        !more.isEmpty
      else { return nil }
      bytes += more
      head = bytes.firstRange(of: Array("\r\n\r\n".utf8))
    }
    guard let head, let (request, length) = parse(bytes[..<head.lowerBound]) else { return nil }
    bytes.removeFirst(head.upperBound)
    while bytes.count < length {
      guard let more = try? readSome(descriptor, limit: 16 << 10), !more.isEmpty else { return nil }
      bytes += more
    }
    var whole = request
    whole.body = Array(bytes.prefix(length))
    overwrite(&bytes)
    return whole
  }

  private static func parse(_ head: ArraySlice<UInt8>) -> (LoopbackRequest, length: Int)? {
    let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return nil }
    var fields: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { return nil }
      fields[line[..<colon].lowercased()] =
        String(line[line.index(after: colon)...]).trimmingASCIISpace
    }
    let length = fields["content-length"].map { Int($0) ?? -1 } ?? 0
    guard (0...longestBody).contains(length), fields["transfer-encoding"] == nil else {
      return nil
    }
    let type = fields["content-type"]?.lowercased() ?? ""
    return (
      LoopbackRequest(
        method: String(words[0]), path: String(words[1]),
        host: fields["host"]?.lowercased() ?? "",
        isForm: type.hasPrefix("application/x-www-form-urlencoded"), body: []), length
    )
  }
}
