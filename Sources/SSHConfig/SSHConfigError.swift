/// Why a command line or a configuration was refused, in ssh's own words.
package struct SSHConfigError: Error, Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    /// The command line cannot be read; ssh would print its usage.
    case usage
    /// An option's value, or a combination of options, makes no sense.
    case option
    /// A line of a configuration file, a `-o` or an environment variable.
    case configuration
    /// A host or user that begins with `-` or holds what a shell or a terminal would act on.
    case unsafeName
    /// The configuration itself says not to connect (`RefuseConnection`).
    case refused
  }

  package var kind: Kind
  /// What ssh would print, one entry per line, without the program's name.
  package var lines: [String]
  /// Where the first bad line stands; nil for the command line.
  package var file: String?
  package var line: Int?

  package init(_ kind: Kind, _ message: String, file: String? = nil, line: Int? = nil) {
    self.init(kind, lines: [message], file: file, line: line)
  }

  package init(_ kind: Kind, lines: [String], file: String? = nil, line: Int? = nil) {
    self.kind = kind
    self.lines = lines.flatMap { text in
      text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
        .map { harmless(String(decoding: $0, as: UTF8.self)) }
    }
    self.file = file
    self.line = line
  }

  /// All lines, separated by line ends.
  package var message: String { lines.joined(separator: "\n") }
}

extension SSHConfigError: CustomStringConvertible {
  package var description: String { message }
}

/// Text of a file or an argument with what could steer a terminal replaced by `?`.
private func harmless(_ text: String) -> String {
  let scalars = text.unicodeScalars.map { scalar -> UnicodeScalar in
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x200E, 0x200F, 0x202A...0x202E,
      0x2066...0x2069, 0xFEFF:
      "?"
    default: scalar
    }
  }
  var result = String.UnicodeScalarView()
  result.append(contentsOf: scalars)
  return String(result)
}

/// Something the user may want to know although it stops nothing.
package struct SSHConfigNote: Sendable, Equatable {
  package enum Level: Sendable, Equatable {
    /// Shown unless `-q`.
    case warning
    /// Shown from `-v` on.
    case debug
  }

  package var level: Level
  package var text: String

  package init(_ level: Level, _ text: String) {
    self.level = level
    self.text = harmless(text)
  }
}

/// Where a value came from; only one's own command line may widen what is opened.
package enum SSHOrigin: Sendable, Equatable {
  case commandLine
  /// The variable's name.
  case environment(String)
  case file(path: String, line: Int)

  /// The start of ssh's messages about a line: `FILE line N`.
  package var place: String {
    switch self {
    case .commandLine: "command-line line 0"
    case .environment(let name): name
    case .file(let path, let line): "\(path) line \(line)"
    }
  }

  /// The same with the colon that `Bad configuration option` has.
  var placeWithColon: String {
    switch self {
    case .commandLine: "command-line: line 0"
    case .environment(let name): name
    case .file(let path, let line): "\(path): line \(line)"
    }
  }

  var path: String? {
    if case .file(let path, _) = self { path } else { nil }
  }

  var line: Int? {
    if case .file(_, let line) = self { line } else { nil }
  }
}
