import Testing

@testable import RDP

@Suite struct RDPProbeTests {
  private static let confirm: [UInt8] = [3, 0, 0, 0x13, 0x0E, 0xD0, 0, 0, 0x12, 0x34, 0]

  private static let answers: [(bytes: [UInt8], outcome: RDPProbe.Outcome)] = [
    (confirm + [2, 0x1F, 8, 0, 2, 0, 0, 0], .negotiated(.hybrid)),
    (confirm + [2, 0x1F, 8, 0, 8, 0, 0, 0], .negotiated(.hybridEx)),
    (confirm + [2, 1, 8, 0, 1, 0, 0, 0], .negotiated(.tls)),
    (confirm + [2, 0, 8, 0, 0, 0, 0, 0], .negotiated(.standard)),
    (confirm + [2, 0, 8, 0, 0x10, 0, 0, 0], .negotiated(.entra)),
    (confirm + [3, 0, 8, 0, 1, 0, 0, 0], .refused(.init(rawValue: 1))),
    (confirm + [3, 0, 8, 0, 5, 0, 0, 0], .refused(.init(rawValue: 5))),
    (confirm + [3, 0, 8, 0, 0xFF, 0xFF, 0xFF, 0xFF], .refused(.init(rawValue: .max))),
    ([3, 0, 0, 0x0B, 6, 0xD0, 0, 0, 0x12, 0x34, 0], .standard),
    ([3, 0, 0, 9, 2, 0xF0, 0x80, 0x21, 0x80], .hungUp),
  ]

  @Test("the request offers TLS, CredSSP and its newer form in 19 bytes, and names nobody")
  func request() {
    #expect(
      hexadecimal(RDPProbe.request, separator: "") == "030000130ee000000000000100080" + "00b000000")
  }

  @Test("every answer of the table is understood, in whatever pieces it comes")
  func table() {
    for (bytes, outcome) in Self.answers {
      for size in [1, 2, 7, bytes.count] {
        var probe = RDPProbe()
        var result: RDPProbe.Outcome?
        var rest = bytes[...]
        while result == nil, !rest.isEmpty {
          #expect(probe.bytesWanted > 0)
          result = probe.receive(rest.prefix(size))
          rest = rest.dropFirst(size)
        }
        #expect(result == outcome)
        #expect(outcome.isReady)
      }
    }
  }

  @Test("no byte behind the answer is asked for: TLS may follow on the connection")
  func exactly() {
    for (bytes, outcome) in Self.answers {
      var probe = RDPProbe()
      var rest = (bytes + [0x16, 3, 1])[...]
      var result: RDPProbe.Outcome?
      while result == nil {
        let wanted = probe.bytesWanted
        result = probe.receive(rest.prefix(wanted))
        rest = rest.dropFirst(wanted)
      }
      #expect(result == outcome)
      #expect(rest.count == 3)
    }
  }

  @Test("what is no RDP server is told by its first byte, and shown")
  func others() {
    var ssh = RDPProbe()
    #expect(
      ssh.receive(Array("SSH-2.0-OpenSSH_9.2\r\n".utf8))
        == .notRDP("it begins with \"SSH-2.0-OpenSSH_\""))
    var tls = RDPProbe()
    #expect(tls.receive([0x15]) == .notRDP("it begins with the bytes 15"))
    for bytes: [UInt8] in [
      [3, 0, 0, 6], [3, 0, 2, 1], [3, 0, 0xFF, 0xFF],
      Self.confirm + [4, 0, 8, 0, 1, 0, 0, 0], Self.confirm + [2, 0, 9, 0, 1, 0, 0, 0],
      [3, 0, 0, 7, 2, 0xF0, 0x80], [3, 0, 0, 9, 2, 0xF0, 0x80, 0x7F, 0x65],
      [3, 0, 0, 0x0B, 14, 0xD0, 0, 0, 0, 0, 0], [3, 0, 0, 0x0B, 6, 0xE0, 0, 0, 0, 0, 0],
    ] {
      var probe = RDPProbe()
      guard case .notRDP? = probe.receive(bytes) else {
        Issue.record("\(bytes) was taken for an answer")
        continue
      }
    }
  }

  @Test("a connection that ends without a byte is not ready; one cut in the middle is not RDP")
  func ends() {
    #expect(RDPProbe().end() == .closed)
    #expect(!RDPProbe.Outcome.closed.isReady)
    var probe = RDPProbe()
    #expect(probe.receive([3, 0, 0]) == nil)
    #expect(probe.end() == .notRDP("it begins with the bytes 03 00 00, then the end"))
  }

  @Test("no bytes make the parser trap")
  func anything() {
    for first in UInt8.min...UInt8.max {
      for length in [0, 7, 8, 9, 11, 19, 512, 513, 65535] {
        var probe = RDPProbe()
        let head: [UInt8] = [3, 0, UInt8(length >> 8), UInt8(length & 0xFF), first]
        _ = probe.receive(head)
        _ = probe.receive([UInt8](repeating: first, count: 600))
        _ = probe.end()
        _ = probe.bytesWanted
      }
    }
  }
}
