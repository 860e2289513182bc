import FoundationEssentials
import Testing

@testable import Azure

@Suite struct TimeTests {
  @Test(
    "times in every form that Azure sends",
    arguments: [
      ("1970-01-01T00:00:00Z", 0.0), ("2022-11-17T11:44:50Z", 1_668_685_490),
      ("2022-11-17T11:44:50.5Z", 1_668_685_490.5),
      ("2022-11-17T11:44:50.5921811Z", 1_668_685_490.5921811),
      ("2023-05-25T06:51:19.7585858+00:00", 1_684_997_479.7585858),
      ("2023-05-25T08:51:19+02:00", 1_684_997_479), ("2023-05-25T01:21:19-0530", 1_684_997_479),
      ("2024-02-29T00:00:00Z", 1_709_164_800), ("2023-05-25T06:51:19", 1_684_997_479),
    ])
  func times(text: String, seconds: Double) throws {
    let date = try #require(Date(iso8601: text))
    #expect(abs(date.timeIntervalSince1970 - seconds) < 1e-5)
  }

  @Test(
    "what is no time is refused",
    arguments: [
      "", "2022", "2022-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2022-11-17T24:00:00Z",
      "2022-11-17T11:44:50.Z", "2022-11-17T11:44:50Zx", "2022-11-17 11:44:50Z",
      "2022-11-17T11:44:50+99:00", "0000-01-01T00:00:00Z", "٢٠٢٢-11-17T11:44:50Z",
    ])
  func noTimes(text: String) {
    #expect(Date(iso8601: text) == nil)
  }

  @Test("dates of HTTP")
  func httpDates() {
    #expect(
      Date(httpDate: "Sun, 06 Nov 1994 08:49:37 GMT")
        == Date(timeIntervalSince1970: 784_111_777))
    #expect(Date(httpDate: "tomorrow") == nil)
    #expect(Date(httpDate: "Sun, 99 Nov 1994 08:49:37 GMT") == nil)
  }

  @Test(
    "durations",
    arguments: [
      ("PT3H", 10800.0, "PT3H"), ("PT5M", 300, "PT5M"), ("P1D", 86400, "PT24H"),
      ("PT0S", 0, "PT0S"),
      ("PT1H30M", 5400, "PT1H30M"), ("PT90M", 5400, "PT1H30M"), ("P1DT1S", 86401, "PT24H1S"),
      ("PT0.5S", 0.5, "PT0S"), ("P2W", 1_209_600, "PT336H"), ("pt1h", 3600, "PT1H"),
    ])
  func durations(text: String, seconds: Double, written: String) throws {
    let duration = try #require(Duration(iso8601: text))
    #expect(duration.inSeconds == seconds)
    #expect(duration.iso8601 == written)
  }

  @Test(
    "what is no duration is refused",
    arguments: [
      "", "P", "PT", "3H", "PT3", "P3H", "PT3D", "P1Y", "P1M", "PT1M1H", "PT1H1H", "PT-1H",
      "PT9999999999H", "PT1.H", "P1DTT1H",
    ])
  func noDurations(text: String) {
    #expect(Duration(iso8601: text) == nil)
  }
}

@Suite struct SourcePrefixTests {
  @Test(
    "blocks and what they contain",
    arguments: [
      ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
      ("10.0.0.0/8", "10.1.0.0/16", true), ("10.1.0.0/16", "10.0.0.0/8", false),
      ("*", "203.0.113.7", true), ("0.0.0.0/0", "*", true), ("203.0.113.7", "203.0.113.7/32", true),
      ("203.0.113.7/24", "203.0.113.250", true), ("203.0.113.7", "*", false),
      ("Any", "0.0.0.0/0", true), ("255.255.255.255", "255.255.255.255", true),
    ])
  func contains(outer: String, inner: String, expected: Bool) throws {
    let outer = try #require(SourcePrefix(parsing: outer))
    let inner = try #require(SourcePrefix(parsing: inner))
    #expect(outer.contains(inner) == expected)
  }

  @Test(
    "what is no IPv4 source is refused",
    arguments: [
      "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "010.1.1.1",
      "1.2.3.04", "::1", "2001:db8::/32", "1.2.3.4/24/8", " 1.2.3.4", "1.2.3.4 ", "0x1.2.3.4",
      "VirtualNetwork", "1..2.3", "+1.2.3.4", "١.2.3.4", "1.2.3.4/008",
    ])
  func refused(text: String) {
    #expect(SourcePrefix(parsing: text) == nil)
    let wire = SourcePrefix(wire: text)
    #expect(wire.text == text)
    #expect(!wire.contains(.any))
    #expect(!SourcePrefix.any.contains(wire))
    #expect(wire == SourcePrefix(wire: text))
  }

  @Test("two spellings of one block are equal, and the text stays")
  func equality() {
    #expect(SourcePrefix(wire: "10.0.0.5/8") == SourcePrefix(wire: "10.0.0.0/8"))
    #expect(SourcePrefix(wire: "*") == SourcePrefix(wire: "0.0.0.0/0"))
    #expect(SourcePrefix(wire: "::1") != SourcePrefix(wire: "::2"))
    #expect(SourcePrefix(wire: "::1") != SourcePrefix(wire: "*"))
    #expect(SourcePrefix(wire: "10.0.0.5/8").text == "10.0.0.5/8")
  }

  @Test("one prefix and several are written as Azure wants them, never both")
  func writing() throws {
    var port = try tree(
      #"{"number":22,"allowedSourceAddressPrefixes":["1.1.1.1","2.2.2.2"],"x":1}"#)
    SourcePrefix.write([.any], to: &port)
    #expect(port.jsonText == #"{"number":22,"x":1,"allowedSourceAddressPrefix":"*"}"#)
    SourcePrefix.write([SourcePrefix(wire: "1.1.1.1"), SourcePrefix(wire: "2.2.2.2")], to: &port)
    #expect(port["allowedSourceAddressPrefix"] == nil)
    #expect(SourcePrefix.list(port).map(\.text) == ["1.1.1.1", "2.2.2.2"])
  }
}
