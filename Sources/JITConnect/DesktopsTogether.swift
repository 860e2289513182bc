import Azure
import Synchronization

/// What the desktops of one run share: passphrases that were asked for, and the names of files.
package final class DesktopsTogether: Sendable {
  let passphrases = DesktopPassphrases()
  /// Whether there is only one.
  let isAlone: Bool
  private let owners = Mutex<[String: ObjectIdentifier]>([:])
  private let machines = Mutex<[ResourceID: ObjectIdentifier]>([:])

  /// - Parameter count: how many desktops there are.
  package init(count: Int = 1) { isAlone = count <= 1 }

  /// Takes a file for one of them.
  ///
  /// - Returns: false where another one has it. Case does not count: it does not on every disk.
  func claim(_ path: String, for desktop: DesktopPreparation) -> Bool {
    owners.withLock { owners in
      let key = path.lowercased()
      if let owner = owners[key] { return owner == ObjectIdentifier(desktop) }
      owners[key] = ObjectIdentifier(desktop)
      return true
    }
  }

  /// Takes a machine for one of them: its window is asked for once.
  ///
  /// - Returns: false where another one has it.
  func claim(_ machine: ResourceID, for desktop: DesktopPreparation) -> Bool {
    machines.withLock { machines in
      if let owner = machines[machine] { return owner == ObjectIdentifier(desktop) }
      machines[machine] = ObjectIdentifier(desktop)
      return true
    }
  }
}
