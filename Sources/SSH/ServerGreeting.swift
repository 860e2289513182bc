import Platform

/// What a server says before the key exchange (RFC 4253 §4.2): any lines, then its identification.
enum ServerGreeting {
  /// OpenSSH's limits for both.
  private static let longestLine = 8192
  private static let mostLines = 1024

  /// What is wrong with it so far, in ssh's words; nil where it is well, or may become so.
  ///
  /// libssh2 waits for ever for an identification, and for an answer of a server that speaks
  /// another version.
  ///
  /// - Parameter bytes: what has been received from the start, up to ``ServerOffer/limit``.
  static func problem(_ bytes: [UInt8]) -> String? {
    var rest = bytes[...]
    for _ in 0..<mostLines {
      guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
        if rest.count > longestLine { return "Banner too long" }
        return bytes.count < ServerOffer.limit ? nil : "No SSH identification string received"
      }
      let line = rest[..<end]
      rest = rest[(end + 1)...]
      if line.count > longestLine { return "Banner too long" }
      guard line.starts(with: Array("SSH-".utf8)) else { continue }
      let version = line.dropFirst(4).prefix { $0 != UInt8(ascii: "-") }
      let major = version.prefix { $0 != UInt8(ascii: ".") }
      if version.elementsEqual("1.99".utf8) || major.elementsEqual("2".utf8) { return nil }
      let theirs = printable(String(decoding: major, as: UTF8.self), limit: 10)
      return "Protocol major versions differ: 2 vs. \(theirs)"
    }
    return "No SSH version received in first \(mostLines) lines from server"
  }
}
