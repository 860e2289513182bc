import Platform
import Testing

@testable import RDP

@Suite struct RDPFileTests {
  private let options = RDPOptions(host: "20.1.2.3", port: 3389, user: "azureuser")

  private func lines(_ change: (inout RDPOptions) -> Void) throws -> [String] {
    var options = options
    change(&options)
    return try RDPFile(options).settings.map(\.line)
  }

  @Test("the default file shares nothing with the VM")
  func defaults() throws {
    let expected = """
      full address:s:20.1.2.3:3389
      username:s:azureuser
      prompt for credentials:i:1
      authentication level:i:2
      enablecredsspsupport:i:1
      negotiate security layer:i:1
      screen mode id:i:2
      dynamic resolution:i:1
      use multimon:i:0
      audiomode:i:0
      audiocapturemode:i:0
      redirectclipboard:i:0
      redirectprinters:i:0
      redirectcomports:i:0
      redirectsmartcards:i:0
      redirectwebauthn:i:0
      drivestoredirect:s:
      devicestoredirect:s:
      autoreconnection enabled:i:1
      gatewayusagemethod:i:0

      """
    let file = try RDPFile(options)
    #expect(file.text == expected.replacing("\n", with: "\r\n"))
    #expect(file.bytesForPipe == Array(file.text.utf8))
    #expect(file.bytes.prefix(6) == [0xFF, 0xFE, 0x66, 0, 0x75, 0])
    #expect(file.bytes.suffix(4) == [0x0D, 0, 0x0A, 0])
    #expect(file.bytes.count == 2 + 2 * file.text.utf16.count)
  }

  @Test("each option changes its own lines and no others")
  func each() throws {
    let base = try lines { _ in }
    func difference(_ change: (inout RDPOptions) -> Void) throws -> (gone: [String], new: [String])
    {
      let changed = try lines(change)
      return (base.filter { !changed.contains($0) }, changed.filter { !base.contains($0) })
    }
    let table: [(change: (inout RDPOptions) -> Void, gone: [String], new: [String])] = [
      ({ $0.user = nil }, ["username:s:azureuser"], []),
      (
        { $0.size = .init(width: 1600, height: 900) }, ["screen mode id:i:2"],
        ["screen mode id:i:1", "desktopwidth:i:1600", "desktopheight:i:900"]
      ),
      ({ $0.allMonitors = true }, ["use multimon:i:0"], ["use multimon:i:1"]),
      ({ $0.clipboard = true }, ["redirectclipboard:i:0"], ["redirectclipboard:i:1"]),
      ({ $0.drives = "*" }, ["drivestoredirect:s:"], ["drivestoredirect:s:*"]),
      ({ $0.drives = #"C:\;E:\;"# }, ["drivestoredirect:s:"], [#"drivestoredirect:s:C:\;E:\;"#]),
      ({ $0.sound = .there }, ["audiomode:i:0"], ["audiomode:i:1"]),
      ({ $0.sound = .nowhere }, ["audiomode:i:0"], ["audiomode:i:2"]),
      ({ $0.microphone = true }, ["audiocapturemode:i:0"], ["audiocapturemode:i:1"]),
      ({ $0.administrative = true }, [], ["administrative session:i:1"]),
      (
        { $0.gateway = "gw.example.com:443" }, ["gatewayusagemethod:i:0"],
        [
          "gatewayhostname:s:gw.example.com:443", "gatewayusagemethod:i:1",
          "gatewayprofileusagemethod:i:1", "gatewaycredentialssource:i:4",
        ]
      ),
      (
        {
          $0.host = "winvm"
          $0.user = "ann@example.com"
          $0.entraSignIn = true
        }, ["full address:s:20.1.2.3:3389", "username:s:azureuser"],
        ["full address:s:winvm:3389", "username:s:ann@example.com", "enablerdsaadauth:i:1"]
      ),
      (
        { $0.extra = ["Smart Sizing:i:1", "smart sizing:i:0", "redirectprinters:i:1"] },
        ["redirectprinters:i:0"], ["redirectprinters:i:1", "smart sizing:i:1"]
      ),
      ({ $0.host = "2001:db8::1" }, [base[0]], ["full address:s:[2001:db8::1]:3389"]),
    ]
    for row in table {
      let (gone, new) = try difference(row.change)
      #expect(gone == row.gone)
      #expect(new == row.new)
    }
  }

  @Test(
    "a host is a name or a literal address, and nothing else",
    arguments: [
      "", "a b", "-v", "a_b", "a/b", "host:3390", "host\r\nusername:s:x", "ho\u{0}st", "hóst",
      "a..b", "a.", ".a", "1.2.3", "1.2.3.256", "0x7f.1", "a.\u{301}b", "[::1]", "::1%lo",
      "/v:evil", "\u{202E}abc", String(repeating: "a", count: 64),
      String(repeating: "a.", count: 127) + "bc",
    ])
  func hostsRefused(host: String) {
    expectRefusal { $0.host = host }
  }

  @Test(
    "a user name cannot make a line, an option or another name",
    arguments: [
      "", "-u", "a\rb", "a\nb", "a\r\nfull address:s:evil", "a\u{85}b", "a\u{2028}b", "a\u{0}",
      " a", "a ", "a\u{A0}", "\u{FEFF}a", "a\u{200B}b", "a\u{202E}b", "a/b", "a/\u{301}b", "a:b",
      "a\"b", "a;b", "a|b", "a*b", #"a\b\c"#, "a@b@c", #"\a"#, #"a\"#, "@a", "a@", #"a@b\c"#,
      "twenty-one-characters", String(repeating: "a", count: 300) + "@example.com",
    ])
  func usersRefused(user: String) {
    expectRefusal { $0.user = user }
  }

  @Test(
    "every form of a user name that Windows knows is taken",
    arguments: [
      "azureuser", "jürgen", "a.b-c_d", "two words", #"CONTOSO\ann"#, "ann@contoso.com",
      #"AzureAD\ann@contoso.com"#, #".\ann"#, "o'brien",
    ])
  func usersTaken(user: String) throws {
    let file = try RDPFile(RDPOptions(host: "web1", port: 3389, user: user))
    #expect(file["username"] == user)
    #expect(try RDPFile.parse(file.bytes) == file)
    #expect(try RDPFile.parse(file.bytesForPipe) == file)
  }

  @Test(
    "an extra setting is known, has its own type, holds no secret and does not move the host",
    arguments: [
      "password 51:b:01", "password:s:x", "Password 51:b:01", "gatewayaccesstoken:s:x",
      "passwordless:i:1", "full address:s:evil", "Alternate Full Address:s:evil",
      "server port:i:1", "username:s:x", "signature:s:AA==", "signscope:s:Full Address",
      "nonsense:i:1", "redirectclipboard:s:1", "redirectclipboard:i:2", "redirectclipboard:i:01",
      "redirectclipboard:i:+1", "redirectclipboard:i:", "redirectclipboard:i:1 ",
      "redirectclipboard:i:1\r\nfull address:s:evil", "redirectclipboard", "", ":i:1",
      "redirectclipboard:\u{301}i:1", "/v:evil:1", "desktopwidth:i:99999999999999999999",
      "selectedmonitors:s:0,-1", "selectedmonitors:s:0,,1", "kdcproxyname:s:a\u{2029}b",
      "gatewayhostname:s:gw/../x", "\u{212A}eyboardhook:s:1",
    ])
  func extrasRefused(line: String) {
    expectRefusal { $0.extra = [line] }
  }

  @Test(
    "a password that was given as a setting is not repeated by the error",
    arguments: ["password:s:hunter2", "hunter:s:hunter2", "gatewayaccesstoken:s:hunter2"])
  func secretNotRepeated(line: String) {
    var options = options
    options.extra = [line]
    let error = #expect(throws: Failure.self) { try RDPFile(options) }
    #expect(error.map { "\($0)".contains("hunter2") } == false)
  }

  @Test("other values that could leave their line are refused")
  func othersRefused() {
    expectRefusal { $0.drives = "*\nusername:s:x" }
    expectRefusal { $0.gateway = "gw\r/v:evil" }
    expectRefusal { $0.gateway = "" }
    expectRefusal { $0.size = .init(width: 100, height: 100) }
    expectRefusal { $0.size = .init(width: 800, height: 9000) }
    expectRefusal { $0.port = 0 }
    expectRefusal { $0.port = 65536 }
  }

  @Test("Entra ID sign-in takes a name, never an address, by the option or by the setting")
  func entra() {
    for host in ["20.1.2.3", "2001:db8::1"] {
      expectRefusal {
        $0.host = host
        $0.entraSignIn = true
      }
      expectRefusal {
        $0.host = host
        $0.extra = ["enablerdsaadauth:i:1"]
      }
    }
    expectRefusal {
      $0.host = "winvm"
      $0.user = #"AzureAD\ann@contoso.com"#
      $0.entraSignIn = true
    }
  }

  private func expectRefusal(
    _ change: (inout RDPOptions) -> Void, _ location: SourceLocation = #_sourceLocation
  ) {
    var options = options
    change(&options)
    let error = #expect(throws: Failure.self, sourceLocation: location) { try RDPFile(options) }
    #expect(error?.code == .settingInvalid, sourceLocation: location)
    let text = error?.description ?? ""
    #expect(text == printable(text), sourceLocation: location)
  }

  @Test("whatever is put into the options, no second line and no unknown setting comes out")
  func property() throws {
    var random = SplitMix(state: 0x5EED)
    var written = 0
    for _ in 0..<4000 {
      var options = RDPOptions(
        host: random.pick(["20.1.2.3", "web1", "2001:db8::1", random.text()]), port: 3389)
      if Bool.random(using: &random) { options.user = random.text() }
      if Bool.random(using: &random) { options.drives = random.text() }
      if Bool.random(using: &random) { options.gateway = random.text() }
      if Bool.random(using: &random) { options.extra = [random.text(), random.line()] }
      options.entraSignIn = Bool.random(using: &random)
      guard let file = try? RDPFile(options) else { continue }
      written += 1
      #expect(try RDPFile.parse(file.bytes) == file)
      // As FreeRDP splits a file: at CR or LF.
      let lines = file.text.unicodeScalars.split { $0 == "\r" || $0 == "\n" }.map { String($0) }
      #expect(lines == file.settings.map(\.line))
      for line in lines {
        let name = String(line.prefix { $0 != ":" })
        #expect(rdpSettings[name] != nil, "\(line)")
      }
      #expect(Set(file.settings.map(\.name)).count == file.settings.count)
    }
    #expect(written > 100)
  }

  @Test("the parser takes only what is written here, in the form in which it is written")
  func parser() throws {
    let file = try RDPFile(options)
    func rejected(_ bytes: [UInt8], _ comment: Comment) {
      #expect(throws: Failure.self, comment) { try RDPFile.parse(bytes) }
    }
    rejected([], "nothing")
    rejected([0xFF, 0xFE], "only the mark")
    rejected(Array(file.bytes.dropLast()), "half a unit")
    rejected(Array(file.bytes.dropLast(2)), "no line feed at the end")
    rejected(Array(file.bytes.dropFirst(2)), "UTF-16 without the mark")
    rejected([0xEF, 0xBB, 0xBF] + file.bytesForPipe, "UTF-8 with a mark")
    rejected(Array(file.text.replacing("\r\n", with: "\n").utf8), "line feeds alone")
    rejected(Array((file.text + "\r\n").utf8), "an empty line")
    rejected(Array((file.text + "audiomode:i:1\r\n").utf8), "a repeated setting")
    rejected(Array((file.text + "unknown:i:1\r\n").utf8), "an unknown setting")
    rejected(Array((file.text + "password 51:b:01\r\n").utf8), "a secret")
    rejected(Array((file.text + "/v:evil\r\n").utf8), "an option of a client")
    rejected(Array((file.text + "signature:s:AA==\r\n").utf8), "a signature without its scope")
    rejected(Array(("Full Address:s:web1:3389\r\n").utf8), "capitals")
    rejected(Array(("audiomode:i:1\r\n" + file.text).utf8), "the address not first")
    rejected(file.bytes.dropLast(4) + [0x00, 0xD8, 0x0D, 0, 0x0A, 0], "a lone surrogate")
  }

  @Test(
    "the file is named after the VM, unless that is a path, an option or a device",
    arguments: [
      ("web1", "web1.rdp"), ("web-1_a.b", "web-1_a.b.rdp"), ("", nil), ("..", nil),
      (".hidden", nil), ("-o", nil), ("a/b", nil), (#"a\b"#, nil), ("a b", nil), ("con", nil),
      ("NUL", nil), ("com1.x", nil), ("console", "console.rdp"), ("a\u{0}", nil), ("ä", nil),
    ] as [(String, String?)])
  func fileName(vm: String, expected: String?) {
    #expect((try? rdpFileName(forVM: vm)) == expected)
  }
}

/// Sebastiano Vigna's generator: the same numbers in every run.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &self)]
  }

  /// Short texts made of what is dangerous and what is not.
  mutating func text() -> String {
    let pieces = [
      "a", "web1", ".", "-", ":", "\\", "@", "/", " ", "\r", "\n", "\r\n", "\u{0}", "\u{85}",
      "\u{2028}", "\u{FEFF}", "\u{202E}", "\u{301}", "é", "数", "🚀", "*", "full address:s:evil",
      "/v:evil", "[", "]", "=", "\t", "1", "%",
    ]
    return (0..<Int.random(in: 1...4, using: &self)).map { _ in pick(pieces) }.joined()
  }

  mutating func line() -> String {
    "\(pick(rdpSettings.keys.sorted())):\(pick(["i", "s", "b"])):\(pick(["0", "1", "x", text()]))"
  }
}
