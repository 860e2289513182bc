import Testing

@testable import Azure

@Suite struct JSONTreeTests {
  @Test(
    "what is read is written again byte for byte, but for white space",
    arguments: [
      #"{"b":1,"a":[1.50,-0,1e400,0.000000000000000000001,12345678901234567890],"b":2}"#,
      #"["\"\\\n\t\u0001",{},[],null,true,false,"äß😀"]"#, "22", #""""#,
    ])
  func roundTrip(text: String) throws {
    let tree = try tree(text)
    #expect(tree.jsonText == text)
    #expect(try reread(tree.indentedText) == tree)
  }

  private func reread(_ text: String) throws -> JSONTree {
    try JSONTree(parsing: Array(text.utf8))
  }

  @Test("escapes keep their value")
  func escapes() throws {
    #expect(try tree(#""\u0041\/\ud83d\ude00\b\f""#) == .string("A/😀\u{8}\u{C}"))
    #expect(try tree(#""\u0000""#).jsonText == #""\u0000""#)
  }

  @Test("a byte-order mark and line ends of Windows are tolerated")
  func byteOrderMark() throws {
    let bytes: [UInt8] = [0xEF, 0xBB, 0xBF] + Array("\r\n{\r\n\t\"a\" : 1 }\r\n".utf8)
    #expect(try JSONTree(parsing: bytes)["a"]?.integer == 1)
  }

  @Test(
    "texts that are not JSON are refused",
    arguments: [
      "", " ", "{", "[", "[1", "[1,", "[1,]", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "{a:1}", "01",
      "1.", ".5", "+1", "-", "1e", "0x1", "NaN", "tru", "nul", #"""#, #""\"#, #""\x""#, #""\u12"#,
      #""\ud800""#, #""\udc00""#, #""\ud800\u0041""#, "\"\u{1}\"", "\"a\nb\"", "1 2", "{}{}",
      "<html>", "'a'", "[1}", #"{"a":1]"#, "// x\n1",
    ])
  func refused(text: String) {
    #expect(throws: JSONError.self) { try tree(text) }
  }

  @Test("bytes that are not UTF-8 are refused")
  func invalidUTF8() {
    for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]] {
      #expect(throws: JSONError.self) { try JSONTree(parsing: [0x22] + bytes + [0x22]) }
    }
  }

  @Test("depth is bounded")
  func depth() throws {
    let within = String(repeating: "[", count: 127) + String(repeating: "]", count: 127)
    #expect(throws: Never.self) { try tree(within) }
    let deep = String(repeating: "[", count: 1_000_000)
    #expect(throws: JSONError.self) { try tree(deep) }
    let objects = String(repeating: #"{"a":"#, count: 500_000)
    #expect(throws: JSONError.self) { try tree(objects) }
  }

  @Test("a change leaves everything else where it was")
  func editing() throws {
    var tree = try tree(#"{"z":1,"a":{"x":1.0},"a":2,"m":null}"#)
    #expect(tree["a"]?.integer == 2)
    tree.set("a", to: "new")
    tree.set("n", to: true)
    tree.remove("m")
    #expect(tree.jsonText == #"{"z":1,"a":"new","n":true}"#)
    tree.update("o") { $0.set("p", to: []) }
    #expect(tree["o", "p"] == .array([]))
    #expect(tree["m"] == nil)
  }

  @Test("values in Azure's several spellings are read alike")
  func spellings() throws {
    let tree = try tree(#"{"n":"22","m":22.0,"t":"True","f":0,"e":"","x":null,"big":1e99}"#)
    #expect(tree["n"]?.integer == 22)
    #expect(tree["m"]?.integer == 22)
    #expect(tree["t"]?.truth == true)
    #expect(tree["f"]?.truth == false)
    #expect(tree["e"]?.text == nil)
    #expect(tree["x"] == nil)
    #expect(tree["big"]?.integer == nil)
  }

  @Test("random trees survive writing and reading")
  func randomTrees() throws {
    var random = SplitMix(seed: 20_261_124)
    for _ in 0..<2000 {
      let tree = JSONTree.random(&random, depth: 0)
      #expect(try JSONTree(parsing: tree.bytes) == tree)
      #expect(try JSONTree(parsing: Array(tree.indentedText.utf8)) == tree)
      // Equality of strings is canonical equivalence; the bytes are what goes back to Azure.
      #expect(try JSONTree(parsing: tree.bytes).bytes == tree.bytes)
    }
  }

  @Test("damaged texts are read or refused, and never trap")
  func damaged() {
    var random = SplitMix(seed: 7)
    for _ in 0..<5000 {
      var bytes = JSONTree.random(&random, depth: 0).bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: place)
        default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
        }
      }
      if let tree = try? JSONTree(parsing: bytes) {
        #expect((try? JSONTree(parsing: tree.bytes)) == tree)
      }
      _ = ServiceError(body: bytes)
    }
  }
}

/// A generator that gives the same numbers for the same seed.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

extension JSONTree {
  static func random(_ random: inout SplitMix, depth: Int) -> JSONTree {
    switch Int.random(in: 0..<(depth > 4 ? 4 : 6), using: &random) {
    case 0: return .null
    case 1: return .boolean(Bool.random(using: &random))
    case 2:
      let numbers = ["0", "-0", "22", "1.50", "1e400", "-12.0E-3", "99999999999999999999"]
      return .number(numbers.randomElement(using: &random) ?? "0")
    case 3: return .string(randomText(&random))
    case 4:
      return .array(
        (0..<Int.random(in: 0..<5, using: &random)).map { _ in
          JSONTree.random(&random, depth: depth + 1)
        })
    default:
      return .object(
        (0..<Int.random(in: 0..<5, using: &random)).map { _ in
          Member(randomText(&random), JSONTree.random(&random, depth: depth + 1))
        })
    }
  }

  static func randomText(_ random: inout SplitMix) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0..<8, using: &random) {
      let code =
        Bool.random(using: &random)
        ? UInt32.random(in: 0..<0x80, using: &random)
        : UInt32.random(in: 0..<0x11_0000, using: &random)
      if let scalar = Unicode.Scalar(code) { text.unicodeScalars.append(scalar) }
    }
    return text
  }
}
