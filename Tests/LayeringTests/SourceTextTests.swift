import Testing

/// The checks are only as good as their reading of a source.
@Suite struct SourceTextTests {
  @Test("an import is seen in every form in which it can be written")
  func imports() {
    let source = SourceText(
      path: "Sources/X/Y.swift",
      text: """
        import A
        @testable import B
        package import C
        @preconcurrency internal import D
        import struct E.Thing
          #if os(Linux)
            import F.Sub // why
          #endif
        // import G
        /* import H /* nested */
        import I */
        let text = "import J"
        let long = \"""
        import K
        \"""
        let important = 1
        """)
    #expect(source.imports.map(\.module) == ["A", "B", "C", "D", "E", "F"])
    #expect(source.imports.map(\.line) == [1, 2, 3, 4, 5, 7])
    #expect(source.target == "X")
  }

  @Test("code inside a literal's interpolation is code, the text around it is not")
  func literals() {
    let source = SourceText(
      path: "Sources/X/Y.swift",
      text:
        ##"let a = "try! \(b["fatalError("] ?? f("x(\(try! y))")) as!" + #"\(as!) "\#(public)"# // try!"##
    )
    #expect(holds(source.code[...], "try!"))
    #expect(source.code.matches(of: #/try!/#).count == 1)
    #expect(!holds(source.code[...], "fatalError("))
    #expect(!holds(source.code[...], "as!"))
    #expect(holds(source.code[...], "public"))
  }

  @Test(
    "a word counts only as a word",
    arguments: [
      ("precondition(x)", "precondition(", true), ("myprecondition(x)", "precondition(", false),
      ("publicAddress public", "public", true), ("noPublic publicAddress", "public", false),
      ("fingerprint(x)", "print(", false), ("Swift.print(x)", "print(", true),
      ("try !x", "try!", false), ("x as! Y", "as!", true),
    ])
  func words(text: String, word: String, expected: Bool) {
    #expect(holds(text[...], word) == expected)
  }

  @Test("a target's dependencies are read from the manifest, products by their own names")
  func manifest() {
    let manifest = Manifest(
      text: """
        .systemLibrary(name: "C", providers: [.apt(["c-dev"])]),
        .target(name: "A"),
        .target(
          name: "B",
          dependencies: ["A", .product(name: "P", package: "swift-p")]),
        .testTarget(name: "BTests", dependencies: ["B"]),
        """)
    #expect(manifest.dependencies == ["C": [], "A": [], "B": ["A", "P"]])
  }
}
