/// What `%h`, `%p`, … stand for in the values of a connection.
package struct SSHTokens: Sendable, Equatable {
  /// `%h`: the host name connected to.
  package var host: String
  /// `%n`: the host as typed; of a path to a VM, the VM's name.
  package var originalHost: String
  /// The port: `%p`.
  package var port: Int
  /// The remote user: `%r`.
  package var user: String
  /// The local user: `%u`.
  package var localUser: String
  /// The local user id: `%i`.
  package var userID: UInt32
  /// The home folder: `%d`.
  package var home: String
  /// The local host name: `%l`.
  package var localHost: String
  /// What the host key is kept under: `%k`.
  package var hostKeyAlias: String?
  /// `%j`: the jump host, empty without one.
  package var jumpHost: String

  /// The local host name up to its first dot: `%L`.
  package var shortLocalHost: String {
    String(decoding: localHost.utf8.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self)
  }

  /// Which tokens a keyword takes, from ssh_config(5), TOKENS.
  package enum Scope: Sendable {
    /// RemoteCommand, ControlPath, IdentityFile, UserKnownHostsFile, `Match exec`, …
    case common
    /// ProxyCommand.
    case proxyCommand
    /// HostName.
    case hostName
    /// LocalCommand: the common ones and `%T`.
    case localCommand
    /// KnownHostsCommand: the common ones and those about the key that is checked.
    case knownHostsCommand
  }

  /// The replacement of one token; nil if the scope has none.
  func value(
    _ letter: UInt8, _ scope: Scope, extra: [Character: String] = [:]
  ) -> String? {
    switch (letter, scope) {
    case (UInt8(ascii: "h"), _): return host
    case (_, .hostName): return nil
    case (UInt8(ascii: "n"), _): return originalHost
    case (UInt8(ascii: "p"), _): return String(port)
    case (UInt8(ascii: "r"), _): return user
    case (UInt8(ascii: "k"), _): return hostKeyAlias ?? originalHost
    case (UInt8(ascii: "j"), _): return jumpHost
    case (_, .proxyCommand): return nil
    case (UInt8(ascii: "u"), _): return localUser
    case (UInt8(ascii: "i"), _): return String(userID)
    case (UInt8(ascii: "d"), _): return home
    case (UInt8(ascii: "l"), _): return localHost
    case (UInt8(ascii: "L"), _): return shortLocalHost
    case (UInt8(ascii: "C"), _):
      return SHA1.hex(Array((localHost + host + String(port) + user).utf8))
    case (_, .localCommand), (_, .knownHostsCommand):
      return extra[Character(UnicodeScalar(letter))]
        ?? (letter == UInt8(ascii: "T") ? "NONE" : nil)
    default: return nil
    }
  }

  /// Replaces the tokens.
  ///
  /// - Parameter extra: `T` of a LocalCommand; `H`, `I`, `K`, `f`, `t` of a KnownHostsCommand.
  /// - Throws: for a token that the scope does not have.
  package func expand(
    _ text: String, _ scope: Scope, extra: [Character: String] = [:]
  ) throws(SSHConfigError) -> String {
    try Self.expand(text, environment: nil) { value($0, scope, extra: extra) }
  }

  /// The words of a KnownHostsCommand, tokens and variables replaced in each but the first.
  ///
  /// - Parameter extra: see ``expand(_:_:extra:)``.
  package func knownHostsCommand(
    _ text: String, environment: @escaping (String) -> String?, extra: [Character: String]
  ) throws(SSHConfigError) -> [String] {
    guard let words = splitArguments(Array(text.utf8)[...], comments: false) else {
      throw SSHConfigError(.option, "KnownHostsCommand \"\(text)\" contains invalid quotes")
    }
    var result: [String] = []
    for (index, word) in words.enumerated() {
      guard index > 0 else {
        result.append(word)
        continue
      }
      result.append(
        try Self.expand(word, environment: environment) {
          value($0, .knownHostsCommand, extra: extra)
        })
    }
    return result
  }

  /// Replaces tokens and `${VARIABLE}`s in one pass, so that neither is read in the other's value.
  ///
  /// - Parameter environment: nil leaves `${…}` alone.
  /// - Parameter token: nil leaves `%` alone.
  static func expand(
    _ text: String, environment: ((String) -> String?)?, token: ((UInt8) -> String?)?
  ) throws(SSHConfigError) -> String {
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var missing: String?
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if let environment, byte == UInt8(ascii: "$"), index + 1 < bytes.count,
        bytes[index + 1] == UInt8(ascii: "{")
      {
        guard let end = bytes[(index + 2)...].firstIndex(of: UInt8(ascii: "}")) else {
          throw SSHConfigError(
            .option,
            "environment variable '\(String(decoding: bytes[(index + 2)...], as: UTF8.self))' "
              + "missing closing '}'")
        }
        let name = String(decoding: bytes[(index + 2)..<end], as: UTF8.self)
        if name.isEmpty { throw SSHConfigError(.option, "zero-length environment variable") }
        if let value = environment(name) {
          result += Array(value.utf8)
        } else {
          missing = missing ?? name
        }
        index = end + 1
        continue
      }
      guard byte == UInt8(ascii: "%"), let token else {
        result.append(byte)
        index += 1
        continue
      }
      guard index + 1 < bytes.count else { throw SSHConfigError(.option, "invalid format") }
      let letter = bytes[index + 1]
      if letter == UInt8(ascii: "%") {
        result.append(letter)
      } else if let value = token(letter) {
        result += Array(value.utf8)
      } else {
        throw SSHConfigError(
          .option, "unknown key %\(String(decoding: [letter], as: UTF8.self))")
      }
      index += 2
    }
    if let missing { throw SSHConfigError(.option, "env var ${\(missing)} has no value") }
    return String(decoding: result, as: UTF8.self)
  }
}

/// SHA-1, for the name that `%C` gives to a connection; nothing rests on its strength.
enum SHA1 {
  static func hex(_ message: [UInt8]) -> String {
    var padded = message + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    let bits = UInt64(message.count) &* 8
    for shift in stride(from: 56, through: 0, by: -8) {
      padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
    }
    var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    for start in stride(from: 0, to: padded.count, by: 64) {
      compress(padded[start..<(start + 64)], into: &state)
    }
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for word in state {
      for shift in stride(from: 28, through: 0, by: -4) {
        text.append(digits[Int(word >> UInt32(shift)) & 15])
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func compress(_ block: ArraySlice<UInt8>, into state: inout [UInt32]) {
    var words: [UInt32] = []
    words.reserveCapacity(80)
    var word: UInt32 = 0
    for (offset, byte) in block.enumerated() {
      word = word << 8 | UInt32(byte)
      if offset % 4 == 3 { words.append(word) }
    }
    for index in 16..<80 {
      let mixed = words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]
      words.append(rotate(mixed, 1))
    }
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    for index in 0..<80 {
      let (f, k): (UInt32, UInt32) =
        switch index {
        case 0..<20: (b & c | ~b & d, 0x5A82_7999)
        case 20..<40: (b ^ c ^ d, 0x6ED9_EBA1)
        case 40..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
        default: (b ^ c ^ d, 0xCA62_C1D6)
        }
      let next = rotate(a, 5) &+ f &+ e &+ k &+ words[index]
      (e, d, c, b, a) = (d, c, rotate(b, 30), a, next)
    }
    state[0] &+= a
    state[1] &+= b
    state[2] &+= c
    state[3] &+= d
    state[4] &+= e
  }

  private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 {
    value << count | value >> (32 - count)
  }
}
