/// What a policy allows on one port of one machine.
package struct PortRule: Sendable, Equatable {
  package var number: Int
  package var `protocol`: PortProtocol
  /// What a request may name; empty where the policy tells none (both members are optional in the
  /// contract): what Azure allows then is unknown.
  package var allowedSources: [SourcePrefix]
  /// The longest that a request may ask for; nil where it could not be read.
  package var maximumDuration: Duration?

  package init(
    number: Int, protocol: PortProtocol = .any, allowedSources: [SourcePrefix] = [.any],
    maximumDuration: Duration? = .seconds(3 * 3600)
  ) {
    self.number = number
    self.protocol = `protocol`
    self.allowedSources = allowedSources
    self.maximumDuration = maximumDuration
  }

  /// Whether a request may name that source; where nothing is known, Azure is to say it.
  package func allows(_ source: SourcePrefix) -> Bool {
    allowedSources.isEmpty || allowedSources.contains { $0.contains(source) }
  }

  /// The smallest block of the policy that a source is a part of; nil where the policy names it as
  /// it is, or anybody.
  package func block(around source: SourcePrefix) -> SourcePrefix? {
    guard !allowsAnySource, !allowedSources.contains(source) else { return nil }
    return allowedSources.filter { $0.contains(source) }
      .max { ($0.prefixLength ?? 0) < ($1.prefixLength ?? 0) }
  }

  /// Whether any source may ask.
  package var allowsAnySource: Bool { allowedSources.contains { $0.isAny } }

  /// Whether TCP is covered, which SSH and RDP need.
  package var coversTCP: Bool { self.protocol != .udp }

  package init?(tree: JSONTree) {
    guard let number = tree["number"]?.integer, (0...65535).contains(number) else { return nil }
    self.init(
      number: number, protocol: PortProtocol(rawValue: tree["protocol"]?.text ?? "*"),
      allowedSources: SourcePrefix.list(tree),
      maximumDuration: tree["maxRequestAccessDuration"]?.text.flatMap { Duration(iso8601: $0) })
  }
}

/// `TCP`, `UDP` or `*`; open, since Azure's lists grow.
package struct PortProtocol: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: String

  package init(rawValue: String) { self.rawValue = rawValue.uppercased() }

  package static let tcp = PortProtocol(rawValue: "TCP")
  package static let udp = PortProtocol(rawValue: "UDP")
  package static let any = PortProtocol(rawValue: "*")

  package var description: String { self == .any ? "any" : rawValue.lowercased() }
}

extension SourcePrefix {
  private static let singular = "allowedSourceAddressPrefix"
  private static let plural = "allowedSourceAddressPrefixes"

  /// Reads one prefix or several; Azure uses either member, and leaves the other empty.
  static func list(_ tree: JSONTree) -> [SourcePrefix] {
    let several = (tree[plural]?.elements ?? []).compactMap(\.text)
    let one = tree[singular]?.text.map { [$0] } ?? []
    return (several.isEmpty ? one : several).filter { !$0.isEmpty }.map { SourcePrefix(wire: $0) }
  }

  /// Writes one prefix or several, never both members.
  static func write(_ sources: [SourcePrefix], to tree: inout JSONTree) {
    if let only = sources.first, sources.count == 1 {
      tree.remove(plural)
      tree.set(singular, to: .string(only.text))
    } else {
      tree.remove(singular)
      tree.set(plural, to: .array(sources.map { .string($0.text) }))
    }
  }
}
