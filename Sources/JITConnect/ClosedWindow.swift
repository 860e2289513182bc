package import Azure
package import FoundationEssentials
import Platform

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
    case left(until: Date, Stay)
    /// A dry run: it would be closed by the calls that were named, and is open until then.
    case planned(until: Date)
    /// Somebody else's, which is left alone.
    case notOwn(who: String?, until: Date?)
  }

  /// Why a window stays.
  package struct Stay: Sendable, Equatable {
    package var why: String
    /// Whether its rule is there; false where it may still appear.
    package var isOpen = true
    /// What else would close it; nil where nothing is known to.
    package var remedy: Remedy?

    /// The same with what else was tried.
    func adding(_ words: String, _ remedy: Remedy? = nil) -> Stay {
      Stay(why: "\(why); \(words)", isOpen: isOpen, remedy: remedy ?? self.remedy)
    }
  }

  package enum Remedy: Sendable, Equatable {
    /// This user may not delete the rules; whoever may can with this.
    case deleteElsewhere([ResourceID])
    /// A shorter request that may end other people's windows.
    case keepOthers
    /// The same again: what is waited for had not come yet.
    case again
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
