package import Azure
package import FoundationEssentials
package import Platform

/// The windows that this user has opened, so that the next connect may use one again and so that
/// no colleague's window is taken for an own one.
package struct OwnWindows: Sendable {
  package struct Window: Sendable, Equatable, Codable {
    package var machine: ResourceID
    package var policy: ResourceID
    package var port: Int
    package var sources: [SourcePrefix]
    /// By this machine's clock.
    package var end: Date
    /// By Azure's clock, as the policy tells it.
    package var azureEnd: Date
    /// The port to connect to where a firewall stands before the machine.
    package var mappedPort: Int?
    /// Whether it may be used again: false once it proved to be shut before its time.
    package var isUsable = true
    /// False for a window of somebody else that is only known to be shut.
    package var isOwn = true
    /// Whether its rule was deleted; nil in records of before this was kept.
    package var isRuleDeleted: Bool?

    func isSame(as window: JITPolicy.Window) -> Bool {
      machine == window.machine && port == window.port.number
        && Set(sources) == Set(window.port.sources)
        // The end was told with the request's answer, to the digit.
        && abs(azureEnd.timeIntervalSince(window.port.end ?? .distantPast)) < 2
    }
  }

  private let path: String?
  private let clock: WallClock

  package init(_ environment: Environment, clock: WallClock) {
    path = environment.stateDirectory.map { $0 + "/windows.json" }
    self.clock = clock
  }

  /// Those that are still open and may be used again, the longest first.
  package func open(on machine: ResourceID, port: Int) -> [Window] {
    read().filter { $0.machine == machine && $0.port == port && $0.isUsable && $0.isOwn }
      .sorted { $0.end > $1.end }
  }

  /// Those of this user on a machine that are not over by their own time.
  package func all(on machine: ResourceID) -> [Window] {
    read().filter { $0.machine == machine && $0.isOwn }
  }

  /// Forgets windows that are over before their time.
  package func forget(_ over: [Window]) {
    change { windows in windows.removeAll { over.contains($0) } }
  }

  /// Whether a window in a policy is one that this user opened.
  package func holds(_ window: JITPolicy.Window) -> Bool {
    read().contains { $0.isOwn && $0.isSame(as: window) }
  }

  /// Whether a window in a policy proved to be shut before its time.
  package func isShut(_ window: JITPolicy.Window) -> Bool {
    read().contains { !$0.isUsable && $0.isSame(as: window) }
  }

  /// Whether a window in a policy is an own one whose rule was deleted.
  func isClosed(_ window: JITPolicy.Window) -> Bool {
    read().contains { $0.isRuleDeleted == true && $0.isSame(as: window) }
  }

  /// Keeps in mind that a window's rule was deleted: the policy shows it on, and it is not to be
  /// used again.
  func close(_ window: Window) {
    var closed = window
    closed.isRuleDeleted = true
    distrust(closed)
  }

  package func record(_ new: [Window]) {
    guard !new.isEmpty else { return }
    change { windows in
      for window in new {
        // An older one for the same is still ours; it is only not used again.
        for index in windows.indices
        where windows[index].machine == window.machine && windows[index].port == window.port
          && windows[index].sources == window.sources && windows[index].isOwn
        {
          windows[index].isUsable = false
        }
        windows.insert(window, at: 0)
      }
    }
  }

  /// Keeps a window that proved to be shut from being used again; an own one stays known as such.
  package func distrust(_ window: Window) {
    change { windows in
      let isOwn = windows.contains { $0.isOwn && $0.azureEnd == window.azureEnd }
      windows.removeAll {
        $0.machine == window.machine && $0.port == window.port && $0.azureEnd == window.azureEnd
      }
      var shut = window
      shut.isUsable = false
      shut.isOwn = isOwn
      windows.append(shut)
    }
  }

  private func read() -> [Window] {
    guard let path, let bytes = try? Files.read(path),
      let windows = try? JSONDecoder().decode([Window].self, from: Data(bytes))
    else { return [] }
    let now = clock.now()
    return windows.filter { $0.end > now }
  }

  private func change(_ edit: (inout [Window]) -> Void) {
    guard let path else { return }
    try? Files.withLock(on: path) {
      var windows = read()
      edit(&windows)
      try Files.replace(path, with: try JSONEncoder().encode(windows))
    }
  }
}
