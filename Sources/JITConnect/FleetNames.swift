package import Azure
package import FoundationEssentials
package import Platform

/// The names of the machines and subscriptions in sight, kept for completion.
///
/// One line each, so that 5,000 are read in a few milliseconds. Whoever completes never waits for
/// Azure: what is on disk counts, and a process of its own brings it up to date.
package struct FleetNames: Sendable, Equatable {
  package typealias Machine = VirtualMachineDirectory.Named

  package var machines: [Machine]
  package var subscriptions: [Subscription]

  package init(machines: [Machine] = [], subscriptions: [Subscription] = []) {
    self.machines = machines
    self.subscriptions = subscriptions
  }

  /// Older names are brought up to date when they are used.
  static let lifetime: TimeInterval = 600
  /// After a try, whatever came of it, the next waits so long.
  static let pause: TimeInterval = 60

  // MARK: On disk

  private static let header = "jitconnect-names 1"

  private static func path(_ environment: Environment) -> String? {
    environment.cacheDirectory.map { $0 + "/names" }
  }

  /// What was kept; empty where nothing is, or nothing readable.
  package static func read(_ environment: Environment) -> FleetNames {
    guard let path = path(environment), let bytes = try? Files.read(path) else {
      return FleetNames()
    }
    return FleetNames(bytes)
  }

  /// Each line is a kind and its texts, with tabs between; what is not understood is passed over.
  init(_ bytes: [UInt8]) {
    self.init()
    var lines = bytes.split(separator: UInt8(ascii: "\n"))[...]
    guard lines.popFirst()?.elementsEqual(Self.header.utf8) == true else { return }
    machines.reserveCapacity(lines.count)
    for line in lines {
      let parts = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
      func text(_ index: Int) -> String { String(decoding: parts[index], as: UTF8.self) }
      switch (parts.first?.first, parts.count) {
      case (UInt8(ascii: "m"), 4):
        machines.append(Machine(name: text(1), resourceGroup: text(2), subscription: text(3)))
      case (UInt8(ascii: "s"), 3):
        subscriptions.append(Subscription(id: text(1), name: text(2)))
      default: continue
      }
    }
  }

  var bytes: [UInt8] {
    func clean(_ text: String) -> String { printable(text, limit: 200) }
    var text = Self.header + "\n"
    for machine in machines {
      text += "m\t\(clean(machine.name))\t\(clean(machine.resourceGroup))\t"
      text += "\(clean(machine.subscription))\n"
    }
    for subscription in subscriptions {
      text += "s\t\(clean(subscription.id))\t\(clean(subscription.name))\n"
    }
    return Array(text.utf8)
  }

  // MARK: Bringing them up to date

  /// Whether a process should be started that brings them up to date.
  package static func areOld(_ environment: Environment, now: Date) -> Bool {
    guard let path = path(environment) else { return false }
    func age(_ path: String) -> TimeInterval {
      guard let time = Files.modificationTime(of: path) else { return .infinity }
      let age = now.timeIntervalSince1970 - time
      // A clock that was set back makes them old, not young for ever.
      return age < 0 ? .infinity : age
    }
    return age(path) > lifetime && age(path + ".tried") > pause
  }

  /// Asks Azure and keeps the answer; several at once ask once.
  package static func refresh(_ world: World, _ azure: () async throws -> AzureAccess) async throws
  {
    guard let path = path(world.environment),
      let lock = try Files.tryLock(path + ".lock")
    else { return }
    guard areOld(world.environment, now: world.clock.now()) else { return }
    try Files.replace(path + ".tried", with: [])
    let directory = try await azure().directory
    async let machines = directory.names()
    async let subscriptions = directory.subscriptions()
    let names = FleetNames(machines: try await machines, subscriptions: try await subscriptions)
    try Files.replace(path, with: names.bytes)
    _ = consume lock
  }
}
