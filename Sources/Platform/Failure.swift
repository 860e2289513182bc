/// What went wrong, in the form in which a user can act on it.
///
/// Every error that reaches a user is one of these. The texts are lower-case fragments without a
/// final full stop; they never hold a secret, and text that came from a server is already
/// stripped of control characters (see ``printable(_:limit:)``).
package struct Failure: Error, Sendable, Equatable {
  /// A stable name for the kind of failure, printed as `error[code]` and kept in `--json`.
  ///
  /// Extensible on purpose: switch over it with a default.
  package struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package init(_ rawValue: String) { self.rawValue = rawValue }

    package var description: String { rawValue }
  }

  /// The machine's own word for the cause, for decisions and for `--json`; never matched by text.
  package enum Cause: Sendable, Equatable {
    /// HTTP status, the service's own error code, and its correlation id.
    case http(status: Int, serviceCode: String?, correlationID: String?)
    /// A `CURLcode`.
    case curl(Int)
    /// A libssh2 error number (negative).
    case libssh2(Int)
    /// An `errno`.
    case system(Int32)
  }

  package var code: Code
  /// What failed: "the policy of web1 does not allow 203.0.113.7".
  package var what: String
  /// Why, as far as it is known.
  package var why: String?
  /// The next command to type, or what to do, in one line.
  package var next: String?
  package var cause: Cause?
  /// How long the service asks to wait before the next try, where nobody has waited yet.
  package var retryAfter: Duration?

  package init(
    _ code: Code, what: String, why: String? = nil, next: String? = nil, cause: Cause? = nil
  ) {
    self.code = code
    self.what = what
    self.why = why
    self.next = next
    self.cause = cause
  }
}

extension Failure: CustomStringConvertible {
  /// One line without the code and the next step: "what: why".
  package var description: String {
    guard let why, !why.isEmpty else { return what }
    return "\(what): \(why)"
  }
}

/// Text from a server or a file in a form that cannot steer a terminal.
///
/// Control characters (C0, DEL, C1), line and paragraph separators and bidirectional overrides
/// become `?`; tabs and line ends become single blanks.
///
/// - Parameter limit: how many characters are kept; what is cut is marked with `…`.
package func printable(_ text: String, limit: Int = 2000) -> String {
  var result = ""
  var count = 0
  for scalar in text.unicodeScalars {
    if count == limit {
      result += "…"
      break
    }
    count += 1
    switch scalar.value {
    case 0x09, 0x0A, 0x0D:
      if result.last != " " { result.unicodeScalars.append(" ") }
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069,
      0xFEFF:
      result.unicodeScalars.append("?")
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  while result.last == " " { result.removeLast() }
  return result
}
