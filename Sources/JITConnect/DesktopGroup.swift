package import Platform
import RDP
import Terminal

/// The desktops of several machines at once, each with its own window.
package struct DesktopGroup: Sendable {
  private let world: World
  private let connects: [Connect]
  /// Tells of a machine that could not be reached; the others go on.
  private let complain: @Sendable (Failure) -> Void

  /// - Parameter connects: one for each machine, with the goal ``Connect/Goal/desktop``.
  package init(
    _ world: World, _ connects: [Connect], complain: @escaping @Sendable (Failure) -> Void
  ) {
    self.world = world
    self.connects = connects
    self.complain = complain
  }

  /// Opens them all, starts their clients, and waits for those.
  ///
  /// - Returns: the first client's status that is not 0, and the first failure, which was told.
  package func run() async throws -> (status: Int32, failure: Failure?) {
    for connect in connects {
      let plan = try await connect.desktop.plan(world, connect.options, connect.commandLine)
      guard plan.settings.portBehindSSH == nil else {
        throw Failure(
          .usage, what: "--via-ssh goes to one machine at a time",
          next: "start it once for each machine")
      }
    }
    let reached = try await reachAll()
    var failure: Failure?
    var deliveries: [DesktopDelivery] = []
    defer { for delivery in deliveries { delivery.clearUp() } }
    var taken: Set<String> = []
    for (connect, result) in zip(connects, reached) {
      do throws(Failure) {
        let delivery = try connect.hand(out: try result.get(), isAlone: false, taken: taken)
        if let path = delivery.shownPath { taken.insert(path) }
        deliveries.append(delivery)
      } catch {
        complain(error)
        failure = failure ?? error
      }
    }
    try connects.first?.tell(deliveries)
    let clients = try DesktopClients()
    for delivery in deliveries {
      guard let session = delivery.session, let client = delivery.client else { continue }
      do throws(Failure) {
        try clients.start(client, for: session, world.environment)
      } catch {
        complain(error)
        failure = failure ?? error
      }
    }
    let statuses = try await Blocking.run { clients.wait(passesSignals: true) }
    if let last = deliveries.last { last.waitForHandover() }
    return (statuses.first { $0 != 0 } ?? 0, failure)
  }

  private func reachAll() async throws -> [Result<ReadyDesktop, Failure>] {
    do {
      return try await world.interrupts.during {
        await withTaskGroup(of: (Int, Result<ReadyDesktop, Failure>).self) { group in
          for (index, connect) in connects.enumerated() {
            group.addTask {
              let result = await outcome { () async throws(Failure) in
                try await connect.prepare(try await connect.reachDesktop())
              }
              return (index, result)
            }
          }
          var results: [(Int, Result<ReadyDesktop, Failure>)] = []
          for await result in group { results.append(result) }
          return results.sorted { $0.0 < $1.0 }.map(\.1)
        }
      }
    } catch let failure as Failure where failure.code == .interrupted {
      var failure = failure
      failure.why = connects.compactMap { $0.notice.explaining(failure).why }
        .joined(separator: "; ")
      throw failure
    }
  }
}
