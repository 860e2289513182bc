import Azure
import Platform
import RDP
import SSHConfig
import Synchronization
import Terminal

/// Makes the plan once, when it is certain that a desktop is meant.
package final class DesktopPreparation: Sendable {
  /// A finished plan or why there is none: never half of one.
  private let made = Mutex<Result<DesktopPlan, Failure>?>(nil)
  private let isMeant = Mutex(false)
  private let shared: DesktopsTogether
  /// Tells programs what was handed out; nil tells people.
  package typealias Report = @Sendable ([DesktopDelivery]) throws -> Void
  let report: Report?

  /// - Parameter shared: what the desktops of one run have in common.
  package init(sharing shared: DesktopsTogether = DesktopsTogether(), report: Report? = nil) {
    self.shared = shared
    self.report = report
  }

  /// Whether the run is a desktop's: its failures are those of a verb then.
  package var isMade: Bool { isMeant.withLock { $0 } }

  func plan(
    _ world: World, _ options: SSHOptions, _ line: SSHCommandLine
  ) async throws(Failure) -> DesktopPlan {
    if let known = made.withLock({ $0 }) { return try known.get() }
    // From here on it is a desktop, also where it comes to nothing.
    isMeant.withLock { $0 = true }
    let result = await outcome { () async throws(Failure) in
      try await make(world, options, line)
    }
    made.withLock { $0 = result }
    return try result.get()
  }

  private func make(
    _ world: World, _ options: SSHOptions, _ line: SSHCommandLine
  ) async throws(Failure) -> DesktopPlan {
    var plan = DesktopPlan(settings: try DesktopSettings(options, line))
    // The address comes later; everything else is refused now or never.
    let file = try RDPFile(
      plan.settings.rdpOptions(
        host: plan.settings.signsInWithEntra ? "vm" : "127.0.0.1", port: 3389, user: options.user))
    if file.acceptsAnyServer {
      world.console.warn(
        "with authentication level:i:0 a client takes any server for the right one, "
          + "whatever certificate it shows")
    }
    if let wanted = plan.settings.client {
      let client = try RDPClient.choose(wanted) { ChildProcess.find($0, in: world.environment) }
      try check(client, options)
      plan.client = client
    }
    if let files = plan.settings.signingFiles {
      plan.signing = try await shared.passphrases.signing(files, world)
    }
    return plan
  }

  /// Drive letters are Windows': FreeRDP on another system ends without a word about them.
  private func check(_ client: RDPClient, _ options: SSHOptions) throws(Failure) {
    guard client.kind == .freeRDP, let drives = options.jit.unlessNone(.rdpDrives),
      drives.contains(":")
    else { return }
    throw Failure(
      .settingInvalid, what: "FreeRDP does not take the drives \(printable(drives))",
      why: "letters name drives on Windows alone", next: "--drives shares all, --drives='*'")
  }

  /// Takes the machine for this desktop of the run.
  ///
  /// - Throws: `usage` where another desktop of the run is that machine's.
  func claim(_ machine: VirtualMachine) throws(Failure) {
    guard shared.claim(machine.id, for: self) else {
      throw Failure(
        .usage, what: "\(machine.name) is named twice", why: "its port is opened once",
        next: "name it once; for another user start it again")
    }
  }

  // MARK: The place

  /// Where the machine's file goes; no two of a run share one.
  ///
  /// - Parameters:
  ///   - machine: how to name the machine without doubt.
  ///   - name: what names its file.
  /// - Throws: `file-unwritable`, `setting-invalid`, `usage`.
  func place(
    of machine: String, name: String, _ plan: DesktopPlan, _ world: World
  ) throws(Failure) -> DesktopPlace.Place {
    let places = DesktopPlace(environment: world.environment, settings: plan.settings)
    let place = try places.place(
      for: name, isAlone: shared.isAlone, outputIsTerminal: world.console.outputIsTerminal)
    if case .file(let path) = place, !shared.claim(path, for: self) {
      throw Failure(
        .fileUnwritable, what: "\(printable(path)) belongs to another machine of that name",
        next: "jitconnect rdp --output OTHER.rdp \(printable(machine))")
    }
    return place
  }
}
