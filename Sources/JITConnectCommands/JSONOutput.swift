import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// JSON as programs get it: members in the order of their names, times in ISO 8601 with `Z`, no
/// escaped slashes.
enum JSONOutput {
  /// One value as text, without a final line end.
  static func text(_ value: some Encodable, pretty: Bool = true) -> String {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    // Our own types hold nothing that JSON cannot.
    guard let data = try? encoder.encode(value) else { return "null" }
    return String(decoding: data, as: UTF8.self)
  }

  /// Writes one value to stdout.
  static func write(_ value: some Encodable) throws(SystemError) {
    try writeAll(STDOUT_FILENO, (text(value) + "\n").utf8)
  }
}

/// How a failure looks in JSON: `{"error":{"code":…,"what":…,"why":…,"next":…}}`.
struct FailureReport: Encodable {
  struct Body: Encodable {
    var code: String
    var what: String
    var why: String?
    var next: String?
    /// Azure's correlation id, for a support case.
    var correlationId: String?
  }

  var error: Body

  init(_ failure: Failure) {
    error = Body(
      code: failure.code.rawValue, what: failure.what, why: failure.why, next: failure.next)
    if case .http(_, _, let id) = failure.cause { error.correlationId = id }
  }
}
