/// The first exchange of an RDP connection, which tells whether the service behind an open port is
/// ready ([MS-RDPBCGR] 2.2.1.1 and 2.2.1.2).
///
/// Nothing is opened here: bytes in, bytes out.
package struct RDPProbe: Sendable {
  /// What the port answered.
  package enum Outcome: Sendable, Equatable {
    /// The server chose how to go on: ready.
    case negotiated(SecurityProtocol)
    /// The server is up and refused every way that was offered.
    case refused(Refusal)
    /// A server that knows no negotiation: ready, without TLS.
    case standard
    /// An RDP server that hung up in RDP's own words (xrdp, on protocols it does not know).
    case hungUp
    /// The connection ended before an answer: the service is starting, or a filter cut it off.
    case closed
    /// Something answered that is no RDP server; the fragment says what was seen.
    case notRDP(String)

    /// Whether an RDP server is there, so that a client may be started.
    package var isReady: Bool {
      switch self {
      case .negotiated, .refused, .standard, .hungUp: true
      case .closed, .notRDP: false
      }
    }
  }

  /// The way the server chose; a set of bits in the request, one of them in the answer.
  package struct SecurityProtocol: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let standard = Self(rawValue: 0)
    package static let tls = Self(rawValue: 1)
    /// CredSSP: network level authentication.
    package static let hybrid = Self(rawValue: 2)
    package static let rdsTLS = Self(rawValue: 4)
    package static let hybridEx = Self(rawValue: 8)
    package static let entra = Self(rawValue: 0x10)

    /// Whether TLS comes next on the connection, so that there is a certificate to see.
    package var beginsWithTLS: Bool { self != .standard }
  }

  /// Why the server refused.
  package struct Refusal: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package var description: String {
      switch rawValue {
      case 1: "the server wants TLS"
      case 2: "the server allows no TLS"
      case 3: "the server has no certificate"
      case 4: "the server calls the request inconsistent"
      case 5: "the server wants CredSSP"
      case 6: "the server wants TLS with user authentication"
      default: "the server refused with code \(rawValue)"
      }
    }
  }

  /// What is sent: a connection request that offers TLS, CredSSP and its newer form.
  ///
  /// No cookie: it would carry the user's name in clear.
  package static let request: [UInt8] = [
    // TPKT: version 3, length 19
    0x03, 0x00, 0x00, 0x13,
    // X.224 connection request, 14 bytes follow
    0x0E, 0xE0, 0x00, 0x00, 0x00, 0x00, 0x00,
    // RDP_NEG_REQ: type 1, no flags, length 8, protocols TLS, HYBRID and HYBRID_EX
    0x01, 0x00, 0x08, 0x00, 0x0B, 0x00, 0x00, 0x00,
  ]

  private var received: [UInt8] = []

  package init() {}

  /// How many more bytes may be read without reading past the answer.
  package var bytesWanted: Int {
    guard received.count >= 4 else { return 4 - received.count }
    return max(length - received.count, 0)
  }

  /// Takes what was read.
  ///
  /// - Returns: the outcome, as soon as it is certain; nil where more bytes are needed.
  package mutating func receive(_ bytes: some Collection<UInt8>) -> Outcome? {
    received += bytes
    guard let first = received.first else { return nil }
    guard first == 3 else { return .notRDP(Self.described(received)) }
    guard received.count >= 4 else { return nil }
    guard (7...512).contains(length) else { return .notRDP(Self.described(received)) }
    guard received.count >= length else { return nil }
    return Self.outcome(of: Array(received.prefix(length)))
  }

  /// The outcome when the connection ended, or was reset, with the answer not whole.
  package func end() -> Outcome {
    received.isEmpty ? .closed : .notRDP("\(Self.described(received)), then the end")
  }

  private var length: Int { Int(received[2]) << 8 | Int(received[3]) }

  private static func outcome(of answer: [UInt8]) -> Outcome {
    let nothing = Outcome.notRDP(described(answer))
    // The X.224 header's own length ends the packet; only user data goes on.
    let (header, code) = (Int(answer[4]), answer[5] & 0xF0)
    switch (code, header, answer.count) {
    case (0xD0, 6, 11): return .standard
    case (0xD0, 14, 19): break
    case (0xF0, 2, 8...):
      // MCS DisconnectProviderUltimatum is choice 8 of its six bits.
      return answer[7] >> 2 == 8 ? .hungUp : nothing
    default: return nothing
    }
    let value = answer[15...18].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    switch (answer[11], Int(answer[13]) | Int(answer[14]) << 8) {
    case (2, 8): return .negotiated(SecurityProtocol(rawValue: value))
    case (3, 8): return .refused(Refusal(rawValue: value))
    default: return nothing
    }
  }

  /// The first bytes, as text where they are text.
  private static func described(_ bytes: [UInt8]) -> String {
    let start = bytes.prefix(16)
    if start.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0x0D || $0 == 0x0A }) {
      let text = start.prefix { $0 >= 0x20 }
      return "it begins with \"\(String(decoding: text, as: UTF8.self))\""
    }
    return "it begins with the bytes \(hexadecimal(start, separator: " "))"
  }
}

/// Lower-case hexadecimal digits, two per byte.
func hexadecimal(_ bytes: some Sequence<UInt8>, separator: String) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: separator)
}
