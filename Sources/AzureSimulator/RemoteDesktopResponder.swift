import Platform

/// The first answers of a remote desktop server: the X.224 connection confirm, and the certificate
/// where TLS follows.
package struct RemoteDesktopResponder: Sendable {
  package enum Answer: Sendable, Equatable {
    /// The protocol chosen: 1 is TLS, 2 CredSSP.
    case chosen(UInt8)
    /// A negotiation failure; the service is up all the same.
    case failure(UInt8)
    /// A confirm without negotiation data, as old servers send.
    case plain
    /// Closes at once, as while the service starts.
    case closes
    /// Bytes that are no answer.
    case other([UInt8])
  }

  package var answer: Answer
  /// Sends the answer in pieces of this size.
  package var pieceSize: Int
  /// Shown where the chosen protocol begins with TLS; nil hangs up there.
  package var certificate: DesktopCertificate?

  package init(
    _ answer: Answer = .chosen(2), pieceSize: Int = 64, certificate: DesktopCertificate? = .shared
  ) {
    self.answer = answer
    self.pieceSize = max(1, pieceSize)
    self.certificate = certificate
  }

  private var bytes: [UInt8] {
    let head: [UInt8] = [0x03, 0, 0, 0x13, 0x0E, 0xD0, 0, 0, 0x12, 0x34, 0]
    switch answer {
    case .chosen(let chosen): return head + [0x02, 0x1F, 0x08, 0, chosen, 0, 0, 0]
    case .failure(let code): return head + [0x03, 0, 0x08, 0, code, 0, 0, 0]
    case .plain: return [0x03, 0, 0, 0x0B, 0x06, 0xD0, 0, 0, 0x12, 0x34, 0]
    case .closes: return []
    case .other(let bytes): return bytes
    }
  }

  /// Answers one connection, then reads to its end.
  func serve(_ descriptor: Int32) {
    if answer == .closes { return }
    // A TPKT header tells the length of what follows.
    var request: [UInt8] = []
    while request.count < 4 || request.count < Int(request[2]) << 8 | Int(request[3]) {
      guard request.count < 512, let chunk = try? readSome(descriptor, limit: 512), !chunk.isEmpty
      else { return }
      request += chunk
      guard request[0] == 0x03 else { return }
    }
    guard request.count >= 7, request[5] & 0xF0 == 0xE0 else { return }
    let bytes = bytes
    for start in stride(from: 0, to: bytes.count, by: pieceSize) {
      Socket.sendAll(descriptor, Array(bytes[start..<min(start + pieceSize, bytes.count)]))
    }
    if case .chosen(let chosen) = answer, chosen != 0 {
      certificate?.serve(descriptor)
      return
    }
    while let chunk = try? readSome(descriptor, limit: 4096), !chunk.isEmpty {}
  }
}
