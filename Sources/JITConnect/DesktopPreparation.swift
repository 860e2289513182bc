import Platform
import RDP
import SSHConfig
import Synchronization
import Terminal

/// Makes the plan once, when it is certain that a desktop is meant.
package final class DesktopPreparation: Sendable {
  private let plan = Mutex<DesktopPlan?>(nil)
  private let passphrases: DesktopPassphrases
  /// Tells programs what was handed out; nil tells people.
  package typealias Report = @Sendable ([DesktopDelivery]) throws -> Void
  let report: Report?

  package init(
    sharing passphrases: DesktopPassphrases = DesktopPassphrases(), report: Report? = nil
  ) {
    self.passphrases = passphrases
    self.report = report
  }

  /// Whether the run is a desktop's: its failures are those of a verb then.
  package var isMade: Bool { plan.withLock { $0 != nil } }

  func plan(
    _ world: World, _ options: SSHOptions, _ line: SSHCommandLine
  ) async throws(Failure) -> DesktopPlan {
    if let plan = plan.withLock({ $0 }) { return plan }
    var made = DesktopPlan(settings: try DesktopSettings(options, line))
    // From here on it is a desktop, also where it comes to nothing.
    plan.withLock { [made] in $0 = made }
    // The address comes later; everything else is refused now or never.
    _ = try RDPFile(
      made.settings.rdpOptions(
        host: made.settings.signsInWithEntra ? "vm" : "127.0.0.1", port: 3389, user: options.user))
    if let wanted = made.settings.client {
      made.client = try RDPClient.choose(wanted) { ChildProcess.find($0, in: world.environment) }
      try check(made.client, options)
    }
    if let files = made.settings.signingFiles {
      made.signing = try await passphrases.signing(files, world)
    }
    plan.withLock { [made] in $0 = made }
    return made
  }

  /// Drive letters are Windows': FreeRDP on another system ends without a word about them.
  private func check(_ client: RDPClient?, _ options: SSHOptions) throws(Failure) {
    guard client?.kind == .freeRDP, let drives = options.jit.unlessNone(.rdpDrives),
      drives.contains(":")
    else { return }
    throw Failure(
      .settingInvalid, what: "FreeRDP does not take the drives \(printable(drives))",
      why: "letters name drives on Windows alone", next: "--drives shares all, --drives='*'")
  }
}
