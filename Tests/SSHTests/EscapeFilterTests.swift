import Testing

@testable import SSH

@Suite struct EscapeFilterTests {
  // What is typed and what becomes of it, as ssh treats it.
  static let table: [(typed: String, pieces: [EscapeFilter.Piece])] = [
    ("ls\r", [.bytes(Array("ls\r".utf8))]),
    ("~.", [.disconnect]),
    ("ls\r~.", [.bytes(Array("ls\r".utf8)), .disconnect]),
    ("ls ~.", [.bytes(Array("ls ~.".utf8))]),
    ("~~", [.bytes(Array("~".utf8))]),
    ("~~.", [.bytes(Array("~.".utf8))]),
    ("~a", [.bytes(Array("~a".utf8))]),
    ("~?~#", [.help, .listConnections]),
    ("~\u{1A}", [.suspend]),
    ("~C", [.notBuiltIn(UInt8(ascii: "C"))]),
    ("~\r~.", [.bytes(Array("~\r".utf8)), .disconnect]),
  ]

  @Test("an escape counts at the start of a line only", arguments: table.indices)
  func line(index: Int) {
    var filter = EscapeFilter(escape: UInt8(ascii: "~"))
    #expect(filter.feed(Array(Self.table[index].typed.utf8)) == Self.table[index].pieces)
  }

  @Test("it makes no difference how the keys are cut into reads", arguments: table.indices)
  func byteByByte(index: Int) {
    var filter = EscapeFilter(escape: UInt8(ascii: "~"))
    var joined: [EscapeFilter.Piece] = []
    for byte in Array(Self.table[index].typed.utf8) {
      for piece in filter.feed([byte]) {
        if case .bytes(let more) = piece, case .bytes(let before)? = joined.last {
          joined[joined.count - 1] = .bytes(before + more)
        } else {
          joined.append(piece)
        }
      }
    }
    #expect(joined == Self.table[index].pieces)
  }
}
