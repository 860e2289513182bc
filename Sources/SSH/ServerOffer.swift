/// The algorithms that a server offers, read from its first, unencrypted packet (RFC 4253 §7.1).
///
/// libssh2 says only that the key exchange failed; this tells at which algorithm, as ssh does.
struct ServerOffer: Equatable {
  var keyExchange: [String]
  var hostKeys: [String]
  var ciphers: [String]
  var macs: [String]

  /// Enough for the banner and the packet of any server.
  static let limit = 32 << 10

  /// - Parameter bytes: what the server has sent from the start.
  init?(_ bytes: [UInt8]) {
    var rest = bytes[...]
    // Lines before the banner are allowed.
    while true {
      guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
      let isBanner = rest.starts(with: Array("SSH-".utf8))
      rest = rest[(end + 1)...]
      if isBanner { break }
    }
    var reader = WireReader(rest)
    guard let length = reader.uint32(), length <= UInt32(Self.limit), reader.byte() != nil,
      reader.byte() == 20
    else { return nil }
    for _ in 0..<16 { guard reader.byte() != nil else { return nil } }
    var lists: [[String]] = []
    for _ in 0..<6 {
      guard let text = reader.text() else { return nil }
      lists.append(text.split(separator: ",").map(String.init))
    }
    (keyExchange, hostKeys) = (lists[0], lists[1])
    // What the two directions offer hardly ever differs; ssh shows the one that fails.
    ciphers = lists[2].filter { lists[3].contains($0) }
    macs = lists[4].filter { lists[5].contains($0) }
  }

  /// The first kind of algorithm on which the two sides share nothing.
  func mismatch(with wanted: AlgorithmPreferences) -> (kind: String, offer: [String])? {
    for (kind, offer, list) in [
      ("key exchange method", keyExchange, wanted.keyExchange),
      ("host key type", hostKeys, wanted.hostKeys), ("cipher", ciphers, wanted.ciphers),
      ("MAC", macs, wanted.macs),
    ] where !offer.contains(where: { list.contains($0) }) {
      // GCM and chacha20-poly1305 bring their own.
      if kind == "MAC",
        let cipher = wanted.ciphers.first(where: { ciphers.contains($0) }),
        cipher.contains("gcm") || cipher.contains("poly1305")
      {
        continue
      }
      return (kind, offer)
    }
    return nil
  }
}
