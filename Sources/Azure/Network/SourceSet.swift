/// Where packets may come from: ranges of IPv4, and names whose addresses cannot be listed here
/// (service tags, application security groups).
package struct SourceSet: Sendable, Equatable {
  /// Sorted, without overlap and without neighbours that touch.
  private(set) package var ranges: [ClosedRange<UInt32>]
  /// As written in the rules, without doubles.
  private(set) package var names: [String]

  package static let empty = SourceSet(ranges: [], names: [])
  package static let everything = SourceSet(ranges: [0...UInt32.max], names: [])

  private init(ranges: [ClosedRange<UInt32>], names: [String]) {
    self.ranges = ranges
    self.names = names
  }

  /// The sources of a rule.
  ///
  /// `AzureLoadBalancer` is the one address that Azure's health probes come from.
  package init(prefixes: [String], groups: [ResourceID] = []) {
    self = .empty
    for prefix in prefixes { formUnion(SourceSet(prefix: prefix)) }
    for group in groups { formUnion(SourceSet(ranges: [], names: [group.name])) }
  }

  private init(prefix: String) {
    switch prefix.lowercased() {
    case "internet": self.init(ranges: Self.publicRanges, names: [])
    case "azureloadbalancer": self.init(ranges: [Self.healthProbe...Self.healthProbe], names: [])
    default:
      if let range = SourcePrefix(wire: prefix).range {
        self.init(ranges: [range], names: [])
      } else if prefix.contains(":") {
        // IPv6: nothing that a window could be for.
        self = .empty
      } else {
        self.init(ranges: [], names: [prefix])
      }
    }
  }

  /// 168.63.129.16: the platform's own, which nobody else can send from.
  static let healthProbe: UInt32 = 0xA83F_8110

  /// Blocks that no packet from the Internet comes from (RFC 1918, 6598, 3927, 5735, and the
  /// platform's own address).
  private static let privateBlocks = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16", "169.254.0.0/16",
    "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3",
  ]

  private static let publicRanges: [ClosedRange<UInt32>] =
    privateBlocks
    .compactMap { SourcePrefix(wire: $0).range }
    .reduce([0...UInt32.max]) { subtracting($1, from: $0) }

  package var isEmpty: Bool { ranges.isEmpty && names.isEmpty }

  /// Whether it is every IPv4 address, and so every name too.
  package var isEverything: Bool { ranges == [0...UInt32.max] }

  /// Whether a packet from the Internet may be among them; a name may stand for anything, but the
  /// virtual network for nothing outside.
  package var reachesInternet: Bool {
    names.contains { $0.lowercased() != "virtualnetwork" }
      || !intersection(SourceSet(ranges: Self.publicRanges, names: [])).ranges.isEmpty
  }

  package func contains(_ address: UInt32) -> Bool { ranges.contains { $0.contains(address) } }

  package mutating func formUnion(_ other: SourceSet) {
    var merged: [ClosedRange<UInt32>] = []
    for range in (ranges + other.ranges).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last,
        last.upperBound == .max || range.lowerBound <= last.upperBound + 1
      {
        merged[merged.count - 1] =
          last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    ranges = merged
    for name in other.names where !holds(name) { names.append(name) }
  }

  private func holds(_ name: String) -> Bool {
    names.contains { $0.lowercased() == name.lowercased() }
  }

  /// What is left when `other` is taken out. A name is only taken out by itself, or by everything.
  package func subtracting(_ other: SourceSet) -> SourceSet {
    SourceSet(
      ranges: other.ranges.reduce(ranges) { Self.subtracting($1, from: $0) },
      names: other.isEverything ? [] : names.filter { !other.holds($0) })
  }

  /// What both have in common; where a name meets addresses, the name is the narrower word for it.
  package func intersection(_ other: SourceSet) -> SourceSet {
    var common: [ClosedRange<UInt32>] = []
    for left in ranges {
      for right in other.ranges where left.overlaps(right) {
        common.append(left.clamped(to: right))
      }
    }
    let shared =
      names.filter { other.holds($0) || !other.ranges.isEmpty }
      + other.names.filter { !holds($0) && !ranges.isEmpty }
    return SourceSet(ranges: common, names: shared)
  }

  private static func subtracting(
    _ cut: ClosedRange<UInt32>, from ranges: [ClosedRange<UInt32>]
  ) -> [ClosedRange<UInt32>] {
    ranges.flatMap { range -> [ClosedRange<UInt32>] in
      guard range.overlaps(cut) else { return [range] }
      var left: [ClosedRange<UInt32>] = []
      if range.lowerBound < cut.lowerBound { left.append(range.lowerBound...(cut.lowerBound - 1)) }
      if cut.upperBound < range.upperBound { left.append((cut.upperBound + 1)...range.upperBound) }
      return left
    }
  }
}

extension SourcePrefix {
  /// Its addresses; nil for what is no IPv4.
  package var range: ClosedRange<UInt32>? {
    guard let bounds else { return nil }
    return bounds.first...bounds.last
  }
}
