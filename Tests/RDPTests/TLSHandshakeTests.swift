import Platform
import Testing

@testable import RDP

@Suite struct TLSHandshakeTests {
  @Test("the client begins, names no server, and waits for an answer")
  func begins() throws {
    var handshake = try TLSHandshake()
    let (hello, certificate) = try handshake.advance([])
    // A handshake record with a ClientHello.
    #expect(hello.prefix(2) == [0x16, 3])
    #expect(hello.count > 5 && hello[5] == 1)
    #expect(certificate == nil)
    #expect(try handshake.advance([]).toSend.isEmpty)
    // The start of an answer is not enough to judge it.
    #expect(try handshake.advance([0x16, 3, 3]).certificate == nil)
  }

  @Test(
    "what is no TLS is an error",
    arguments: [
      Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), [0x15, 3, 3, 0, 2, 2, 40],
      [UInt8](repeating: 0, count: 64),
    ])
  func noTLS(answer: [UInt8]) throws {
    var handshake = try TLSHandshake()
    _ = try handshake.advance([])
    let error = #expect(throws: Failure.self) { _ = try handshake.advance(answer) }
    #expect(error?.code == .protocolFailed)
    #expect(error?.why?.isEmpty == false)
  }

  @Test("no answer makes it trap or show a certificate")
  func anything() throws {
    var seed: UInt64 = 0x5EED
    for _ in 0..<200 {
      var handshake = try TLSHandshake()
      _ = try handshake.advance([])
      let bytes = (0..<80).map { index -> UInt8 in
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return index < 3 ? [0x16, 3, 3][index] : UInt8(truncatingIfNeeded: seed >> 33)
      }
      #expect((try? handshake.advance(bytes).certificate) ?? nil == nil)
    }
  }

  @Test("fingerprints are written as FreeRDP and as Windows write them")
  func texts() {
    let certificate = RDPCertificate(
      fingerprint: [0xAB, 0, 0x1F], thumbprint: [0xAB, 0, 0x1F], name: "WINVM")
    #expect(certificate.fingerprintText == "ab:00:1f")
    #expect(certificate.thumbprintText == "AB001F")
  }
}
