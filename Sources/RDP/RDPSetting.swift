/// One line of an .rdp file: `name:type:value`.
package struct RDPSetting: Sendable, Equatable {
  /// What may stand behind a name.
  ///
  /// The value is checked against it; nothing is ever escaped, because the format has no escape.
  enum Value: Sendable, Equatable {
    /// A decimal integer in this range.
    case integer(ClosedRange<Int>)
    case text
    /// `host`, `host:port` or `[address]:port`.
    case address
    case user
    /// Monitor numbers with commas.
    case numbers
    /// What a signature is written in.
    case base64

    /// The letter between the colons.
    var letter: Character {
      if case .integer = self { "i" } else { "s" }
    }
  }

  /// In lower case, as this tool writes it.
  package let name: String
  package let value: String
  let type: Character

  /// A setting whose name and value are known to be right.
  init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
    self.type = "s"
  }

  init(_ name: String, _ value: Int) {
    self.name = name
    self.value = String(value)
    self.type = "i"
  }

  package var line: String { "\(name):\(type):\(value)" }
}

/// Why a setting or a value was not accepted; a fragment such as "holds a control character".
struct RDPRefusal: Error, Equatable {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

extension RDPSetting {
  /// Reads `name:type:value`.
  ///
  /// Only known names, each with its own type and a value that fits.
  ///
  /// - Parameter anyCase: whether the name may be written in capitals, as people type it.
  init(line: String, anyCase: Bool = false) throws(RDPRefusal) {
    try checkCharacters(line, limit: 1 << 18)
    // By scalars: clients do not know that a combining mark makes one character with a colon.
    let parts = line.unicodeScalars
      .split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map { String($0) }
    guard parts.count == 3, parts[1].utf8.count == 1, let type = parts[1].first else {
      throw RDPRefusal("is not name:type:value")
    }
    let name = anyCase ? parts[0].lowercased() : parts[0]
    guard name.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw RDPRefusal("is no setting that is known here")
    }
    if secretSettings.contains(name) || name.hasPrefix("password") {
      throw RDPRefusal("holds a secret, which never goes into the file")
    }
    guard let rule = rdpSettings[name] else {
      throw RDPRefusal("is no setting that is known here")
    }
    guard type == rule.letter else { throw RDPRefusal("has the type \(rule.letter)") }
    try self.init(name: name, value: parts[2], rule: rule)
  }

  /// - Throws: where the value does not fit the setting.
  init(name: String, value: String, rule: Value) throws(RDPRefusal) {
    try checkCharacters(value, limit: rule == .base64 ? 1 << 18 : 4096)
    switch rule {
    case .integer(let range):
      guard let number = Int(value), String(number) == value, range.contains(number) else {
        throw RDPRefusal("takes a number from \(range.lowerBound) to \(range.upperBound)")
      }
    case .text: break
    case .address: _ = try RDPAddress(value, portNeeded: false)
    case .user: if !value.isEmpty { try checkUser(value) }
    case .numbers:
      let numbers = value.split(separator: ",", omittingEmptySubsequences: false)
      guard numbers.allSatisfy({ Int($0).map(String.init) == String($0) && !$0.hasPrefix("-") })
      else { throw RDPRefusal("takes monitor numbers with commas") }
    case .base64:
      guard value.utf8.allSatisfy({ isLetterOrDigit($0) || "+/=".utf8.contains($0) }) else {
        throw RDPRefusal("is not base64")
      }
    }
    self.name = name
    self.value = value
    type = rule.letter
  }
}

/// Refuses what could end the line, start an option of a client, or show something else than what
/// is there.
func checkCharacters(_ value: String, limit: Int = 4096) throws(RDPRefusal) {
  guard value.unicodeScalars.count <= limit else { throw RDPRefusal("is too long") }
  for scalar in value.unicodeScalars {
    switch scalar.properties.generalCategory {
    // Format characters are the byte order mark, the bidirectional controls and invisible ones.
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
      .unassigned:
      throw RDPRefusal("holds a control or invisible character")
    default: break
    }
  }
  for edge in [value.unicodeScalars.first, value.unicodeScalars.last] {
    if edge?.properties.isWhitespace == true {
      throw RDPRefusal("begins or ends with a blank")
    }
  }
}

/// Refuses what is no user name of Windows or Entra ID: `name`, `DOMAIN\name`, `name@domain`,
/// `AzureAD\name@domain`.
func checkUser(_ user: String) throws(RDPRefusal) {
  try checkCharacters(user)
  guard !user.isEmpty, user.unicodeScalars.count <= 256 else {
    throw RDPRefusal("is empty or longer than 256 characters")
  }
  // By scalars, as clients read it: a combining mark does not make a slash another character.
  let scalars = user.unicodeScalars
  // Clients would take these for options.
  guard scalars.first != "-" else { throw RDPRefusal("begins with -") }
  // What Windows forbids in a name; the backslash separates.
  guard !scalars.contains(where: { "\"/[]:;|=,+*?<>".unicodeScalars.contains($0) }) else {
    throw RDPRefusal("holds a character that Windows forbids in a name")
  }
  let domainParts = scalars.split(separator: "\\", omittingEmptySubsequences: false)
  guard domainParts.count <= 2, domainParts.allSatisfy({ !$0.isEmpty }),
    let name = domainParts.last, domainParts.count == 1 || domainParts.first?.contains("@") == false
  else { throw RDPRefusal("is not DOMAIN\\name") }
  let nameParts = name.split(separator: "@", omittingEmptySubsequences: false)
  guard nameParts.count <= 2, nameParts.allSatisfy({ !$0.isEmpty }) else {
    throw RDPRefusal("is not name@domain")
  }
  guard domainParts.count > 1 || nameParts.count > 1 || name.count <= 20 else {
    throw RDPRefusal("is longer than Windows' 20 characters")
  }
}
