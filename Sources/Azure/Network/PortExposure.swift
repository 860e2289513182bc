/// Who reaches a port without a window of just-in-time access.
package struct PortExposure: Sendable, Equatable {
  /// A way through every security group on the path.
  package struct Hole: Sendable, Equatable {
    /// One for each group, the subnet's first.
    package var openings: [NetworkSecurityGroup.Opening]
    package var sources: SourceSet

    /// Whether anybody from outside comes in by it.
    package var reachesInternet: Bool { sources.reachesInternet }
    package var isCertain: Bool { openings.allSatisfy(\.isCertain) }
  }

  package var port: Int
  package var holes: [Hole]
  /// False where there is no security group at all.
  package var isGuarded: Bool
  /// Groups that could not be read.
  package var unread: [String]

  /// Proved from what was read: one group that denies is enough, whatever another says.
  package var isShut: Bool { isGuarded && holes.isEmpty }
}
