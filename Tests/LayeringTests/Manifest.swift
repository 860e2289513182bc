/// The part of Package.swift that the layers are about: which target depends on which.
struct Manifest {
  /// For every target that is no test.
  var dependencies: [String: Set<String>] = [:]

  init() throws { self.init(text: try contents(of: "Package.swift")) }

  init(text: String) {
    var rest = text[...]
    while let call = rest.firstRange(of: #/\.(target|executableTarget|systemLibrary)\(/#) {
      let body = Self.balanced(rest[call.upperBound...], open: "(", close: ")")
      rest = rest[call.upperBound...]
      guard let name = body.firstMatch(of: #/name:\s*"([^"]+)"/#) else { continue }
      dependencies[String(name.1)] = Self.dependencies(in: body)
    }
  }

  private static func dependencies(in body: Substring) -> Set<String> {
    guard let list = body.firstRange(of: #/dependencies:\s*\[/#) else { return [] }
    // A product is known by its own name, not by its package's.
    let items = balanced(body[list.upperBound...], open: "[", close: "]")
      .replacing(#/package:\s*"[^"]*"/#, with: "")
    return Set(items.matches(of: #/"([^"]+)"/#).map { String($0.1) })
  }

  /// What stands before the bracket that closes the one just passed.
  private static func balanced(
    _ text: Substring, open: Character, close: Character
  ) -> Substring {
    var depth = 1
    for index in text.indices {
      if text[index] == open { depth += 1 }
      if text[index] == close { depth -= 1 }
      if depth == 0 { return text[..<index] }
    }
    return text
  }
}
