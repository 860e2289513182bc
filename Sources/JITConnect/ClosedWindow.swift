package import Azure
package import FoundationEssentials

/// A window that was to end early, and what became of it.
package struct ClosedWindow: Sendable {
  package enum Ending: Sendable, Equatable {
    /// Its rule was taken out of the security groups: nobody comes in by it any more.
    case ruleDeleted
    /// It is over: by Azure's word, or since no rule of it is left.
    case over
    /// A newer request of the shortest duration took its place.
    case superseded(until: Date)
    /// It stays until its end, and why.
    case left(until: Date, why: String)
    /// A dry run: it would be closed by the calls that were named, and is open until then.
    case planned(until: Date)
    /// Somebody else's, which is left alone.
    case notOwn(who: String?, until: Date?)
  }

  package var machine: VirtualMachine
  package var port: Int
  package var sources: [SourcePrefix]
  package var ending: Ending

  /// Whether it was to be closed and stays open.
  package var staysOpen: Bool {
    if case .left = ending { true } else { false }
  }
}
