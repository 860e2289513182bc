package import Azure
package import Platform
import SSHConfig

/// A port as the command line writes it: `22`, `22/tcp`,
/// `8443/tcp:from=10.0.0.0/8,203.0.113.7:max=1h`.
package struct PortSpec: Sendable, Equatable {
  package var number: Int
  package var `protocol`: PortProtocol?
  package var sources: [SourcePrefix]?
  package var maximum: Duration?

  package init(parsing text: String) throws(Failure) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let head = (parts.first ?? "").split(separator: "/", omittingEmptySubsequences: false)
    guard let word = head.first, head.count <= 2 else {
      throw Self.refusal(text, "a port comes first")
    }
    number = try Self.port(String(word), of: text)
    if head.count == 2 {
      switch head[1].lowercased() {
      case "tcp": `protocol` = .tcp
      case "udp": `protocol` = .udp
      case "any", "*": `protocol` = .any
      default: throw Self.refusal(text, "a protocol is tcp, udp or any")
      }
    }
    for part in parts.dropFirst() {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      switch (pair.first?.lowercased(), pair.count == 2 ? String(pair[1]) : nil) {
      case ("from", let value?) where sources == nil:
        sources = try Self.sources(value)
      case ("max", let value?) where maximum == nil:
        maximum = try Self.maximum(value)
      case ("from", _), ("max", _):
        throw Self.refusal(text, "'\(printable(part, limit: 100))' is there twice or has no value")
      default:
        throw Self.refusal(
          text,
          "'\(printable(part, limit: 100))' is neither from=… nor max=…; IPv6 has no place here")
      }
    }
  }

  /// Reads a port's number.
  package static func port(_ word: String, of text: String) throws(Failure) -> Int {
    guard (1...5).contains(word.utf8.count), word.allSatisfy({ $0.isASCII && $0.isNumber }),
      let number = Int(word), (0...65535).contains(number)
    else { throw refusal(text, "a port is a number from 0 to 65535") }
    return number
  }

  /// Reads `any`, or addresses and CIDRs with commas.
  package static func sources(_ text: String) throws(Failure) -> [SourcePrefix] {
    var sources: [SourcePrefix] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let word = String(part)
      guard let source = word.lowercased() == "any" ? .any : SourcePrefix(parsing: word) else {
        throw Failure(
          .usage, what: "'\(printable(word, limit: 100))' is no source",
          why: "just-in-time access takes IPv4 addresses, CIDRs and any",
          next: "write them with commas: 10.0.0.0/8,203.0.113.7")
      }
      if !sources.contains(source) { sources.append(source) }
    }
    return sources.contains { $0.isAny } ? [.any] : sources
  }

  /// Reads the longest time that a request may ask for.
  package static func maximum(_ text: String) throws(Failure) -> Duration {
    guard let seconds = SSHDuration.secondsOrISO8601(text) else {
      throw Failure(
        .usage, what: "'\(printable(text, limit: 100))' is no time",
        next: "write it as 30m, 1h30m or PT3H")
    }
    let limit = Duration.seconds(seconds)
    guard PolicyEdit.durationLimits.contains(limit) else {
      throw Failure(
        .usage, what: "a policy cannot grant \(durationText(limit)) at most",
        why: "the limit is between 5 minutes and 1 day", next: "write it as 30m, 1h30m or PT3H")
    }
    return limit
  }

  private static func refusal(_ text: String, _ reason: String) -> Failure {
    Failure(
      .usage, what: "'\(printable(text, limit: 200))' is no port", why: reason,
      next: "write it as 22, 22/tcp or 8443/tcp:from=10.0.0.0/8,203.0.113.7:max=1h")
  }

  package func change(_ kind: PortChange.Kind) -> PortChange {
    PortChange(
      kind, number: number, protocol: `protocol`, sources: sources, maximum: maximum)
  }

  /// What the portal's virtual machine page opens for an operating system.
  package static func standard(for system: OperatingSystem) -> PortChange {
    PortChange(.set, number: system == .windows ? 3389 : 22)
  }

  /// What the portal's Defender page recommends.
  package static let recommended: [PortChange] = [22, 3389, 5985, 5986].map {
    PortChange(.set, number: $0)
  }
}

/// What a rule grants, as people read it: `port 22 from any, at most 3 hours`.
package func ruleText(_ rule: PortRule) -> String {
  let name = rule.protocol == .any ? "port \(rule.number)" : "port \(rule.number)/\(rule.protocol)"
  let sources =
    rule.allowsAnySource ? "any" : rule.allowedSources.map(\.text).joined(separator: ", ")
  let limit = rule.maximumDuration.map { "at most \(durationText($0))" } ?? "no readable limit"
  return "\(name) from \(sources.isEmpty ? "unknown sources" : sources), \(limit)"
}
