import Testing

@testable import SSHConfig

@Suite("sets of sources")
struct JitSourceSetTests {
  @Test("the first of each name counts, and -G prints them")
  func sets() throws {
    let options = try SSHConfigResolver.resolve(words: [
      "-o", "JitSourceSet office=203.0.113.0/28,192.0.2.1", "-o", "JitSourceSet=Home=192.0.2.9",
      "-o", "JitSourceSet OFFICE=192.0.2.2", "-o", "JitSource=office,198.51.100.1", "web1",
    ])
    #expect(options.jit.sourceSets.map(\.set.name) == ["office", "home"])
    #expect(options.jit.sourceSet("Office")?.set.prefixes == ["203.0.113.0/28", "192.0.2.1"])
    #expect(options.jit.source == .prefixes(["office", "198.51.100.1"]))
    let printed = options.printedConfiguration()
    #expect(printed.contains("jitsourceset office=203.0.113.0/28,192.0.2.1"))
    #expect(printed.contains("jitsourceset home=192.0.2.9"))
  }

  @Test(
    "what is no set is refused",
    arguments: [
      "office", "=192.0.2.1", "any=192.0.2.1", "a b=192.0.2.1", "office=", "office=2001::1",
    ])
  func refused(value: String) {
    #expect(throws: SSHConfigError.self) {
      try SSHConfigResolver.resolve(words: ["-o", "JitSourceSet \(value)", "web1"])
    }
  }
}
