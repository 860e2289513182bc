import Testing

/// Which targets of ours, and which packages, each target may import.
///
/// The order is the layers', lowest first. CONTRIBUTING.md shows the same table.
private let layers: [(target: String, mayImport: Set<String>)] = [
  ("CCurl", []),
  ("CLibSSH2", []),
  ("COpenSSL", []),
  ("CPlatform", []),
  ("CCounterMode", ["COpenSSL"]),
  ("Platform", ["CPlatform"]),
  ("HTTP", ["CCurl", "Platform"]),
  ("SSHConfig", []),
  ("Terminal", ["Platform"]),
  ("Identity", ["HTTP", "COpenSSL", "Platform"]),
  ("Azure", ["HTTP", "Identity", "Platform"]),
  ("SSH", ["CCounterMode", "CLibSSH2", "COpenSSL", "SSHConfig", "Platform"]),
  ("RDP", ["COpenSSL", "Platform"]),
  (
    "JITConnect",
    ["Azure", "Identity", "HTTP", "SSH", "SSHConfig", "RDP", "Terminal", "Platform"]
  ),
  (
    "JITConnectCommands",
    [
      "JITConnect", "Azure", "Identity", "HTTP", "SSH", "SSHConfig", "RDP", "Terminal", "Platform",
      "ArgumentParser",
    ]
  ),
  ("jitconnect-main", ["JITConnectCommands"]),
  ("AzureSimulator", ["COpenSSL", "Platform"]),
  ("jitconnect-demo", ["AzureSimulator", "Platform"]),
]

/// What comes with the toolchain.
///
/// Foundation itself does not stand here: it makes the binary four times as large and its start
/// slower.
private let toolchain: Set<String> = [
  "Swift", "Synchronization", "FoundationEssentials", "Glibc", "Darwin", "Musl",
]

/// `SSHConfig` is pure: files, users and programs come in as closures.
private let pure: [String: Set<String>] = ["SSHConfig": ["Swift", "FoundationEssentials"]]

/// What no source may hold, since it ends the process, goes round the package's interface or draws
/// in Foundation.
///
/// A word with a parenthesis is a call.
private let forbidden: [(word: String, because: String)] = [
  ("fatalError(", "ends the process on what may be input"),
  ("precondition(", "ends the process on what may be input"),
  ("preconditionFailure(", "ends the process on what may be input"),
  ("assert(", "ends the process in debug builds only"),
  ("assertionFailure(", "ends the process in debug builds only"),
  ("try!", "ends the process"),
  ("as!", "ends the process"),
  ("unsafelyUnwrapped", "undefined when nil"),
  ("unsafeBitCast(", "goes round the types"),
  ("String(format:", "needs Foundation"),
  ("public", "nobody outside the package calls us"),
]

/// Exceptions, each with its reason: path and word.
private let allowed: [(path: String, word: String, because: String)] = []

/// stdout is the payload: libraries hand text to their caller.
private let mayPrint: Set<String> = [
  "JITConnectCommands", "jitconnect-main", "AzureSimulator", "jitconnect-demo",
]

@Suite struct LayerTests {
  private static let all = Result { try SourceText.all(below: "Sources") }
  private let sources: [SourceText]

  init() throws { sources = try Self.all.get() }

  @Test("every target has a row in the table, and every row a target")
  func tableIsWhole() throws {
    let rows = Set(layers.map(\.target))
    #expect(rows.count == layers.count)
    #expect(try Manifest().dependencies.keys.sorted() == rows.sorted())
    for source in sources { #expect(rows.contains(source.target), "\(source.path)") }
  }

  @Test("no file imports a sibling or what lies above it")
  func imports() {
    let rows = Dictionary(layers.map { ($0.target, $0.mayImport) }, uniquingKeysWith: { $1 })
    #expect(sources.count > 20)
    for source in sources {
      let own = (rows[source.target] ?? []).union(pure[source.target] ?? toolchain)
      for (line, module) in source.imports where !own.contains(module) {
        Issue.record("\(source.path):\(line): \(source.target) may not import \(module)")
      }
    }
  }

  @Test("the table has no cycle: each target imports only what stands above it in the list")
  func downwards() {
    var seen: Set<String> = ["ArgumentParser"]
    for layer in layers {
      #expect(layer.mayImport.isSubset(of: seen), "\(layer.target)")
      seen.insert(layer.target)
    }
  }

  @Test("Package.swift grants each target what the table grants, and nothing else")
  func manifest() throws {
    let granted = try Manifest().dependencies
    for layer in layers { #expect(granted[layer.target] == layer.mayImport, "\(layer.target)") }
  }

  @Test("no source ends the process on input, is public, or needs Foundation")
  func forbiddenWords() {
    for source in sources {
      for (number, line) in source.lines {
        // A case of that name is no modifier.
        let text = line.replacing(".public", with: "").replacing("`public`", with: "")[...]
        for (word, because) in forbidden where holds(text, word) {
          guard !allowed.contains(where: { $0.path == source.path && $0.word == word }) else {
            continue
          }
          Issue.record("\(source.path):\(number): \(word) \(because)")
        }
        if holds(text, "print("), !mayPrint.contains(source.target) {
          Issue.record("\(source.path):\(number): print( writes to stdout, which is the payload")
        }
      }
    }
  }

  @Test("tests do not need Foundation either")
  func testImports() throws {
    for source in try SourceText.all(below: "Tests") {
      for (line, module) in source.imports where module == "Foundation" {
        Issue.record("\(source.path):\(line): imports Foundation")
      }
    }
  }
}

/// Whether `word` stands in `text` as a word of its own.
func holds(_ text: Substring, _ word: String) -> Bool {
  var rest = text[...]
  while let range = rest.firstRange(of: word) {
    let before = rest[..<range.lowerBound].last ?? text[..<range.lowerBound].last
    let after = rest[range.upperBound...].first
    if !isNamePart(before), !isNamePart(word.last) || !isNamePart(after) { return true }
    rest = rest[range.upperBound...]
  }
  return false
}

private func isNamePart(_ character: Character?) -> Bool {
  guard let character else { return false }
  return character.isLetter || character.isNumber || character == "_"
}
