package import FoundationEssentials

/// A request for access, as Azure keeps it in the policy.
package struct JITRequest: Sendable, Equatable {
  package struct Machine: Sendable, Equatable {
    package var id: ResourceID
    package var ports: [RequestedPort]
  }

  package var machines: [Machine]
  package var start: Date?
  /// A UPN, or nil: Azure often leaves it empty.
  package var requestor: String?
  package var justification: String?
  /// Azure's clock when it answered the request, for the countdown; nil in a policy.
  package var serverDate: Date?

  package init(tree: JSONTree, serverDate: Date? = nil) {
    machines = (tree["virtualMachines"]?.elements ?? []).compactMap { item in
      guard let id = ResourceID(item["id"]?.text) else { return nil }
      let ports = (item["ports"]?.elements ?? []).compactMap { RequestedPort(tree: $0) }
      return Machine(id: id, ports: ports)
    }
    start = tree["startTimeUtc"]?.text.flatMap { Date(iso8601: $0) }
    requestor = tree["requestor"]?.text
    justification = tree["justification"]?.text
    self.serverDate = serverDate
  }

  /// What was granted for a port of a machine.
  ///
  /// Azure's answer may spell the id otherwise, so the place in the request counts where no id
  /// matches.
  ///
  /// - Parameter index: the machine's place in the request.
  package func port(_ number: Int, of id: ResourceID, at index: Int = 0) -> RequestedPort? {
    let named = machines.filter { $0.id == id }
    let placed = machines.indices.contains(index) ? [machines[index]] : []
    let candidates = named.isEmpty ? placed : named
    return candidates.lazy.flatMap(\.ports).first { $0.number == number }
  }
}

/// A port of a request, and what became of it.
package struct RequestedPort: Sendable, Equatable {
  package var number: Int
  package var sources: [SourcePrefix]
  package var end: Date?
  package var status: RequestStatus
  /// `UserRequested`, `Expired`, `NewerRequestInitiated`, or a word not known yet.
  package var reason: String?
  /// The port to connect to where a firewall stands before the machine.
  package var mappedPort: Int?

  /// Whether it is open, or about to be, and for a while yet.
  package func isLive(at now: Date) -> Bool {
    guard let end else { return false }
    return status.mayOpen && end > now
  }

  package init?(tree: JSONTree) {
    guard let number = tree["number"]?.integer else { return nil }
    self.number = number
    sources = SourcePrefix.list(tree)
    end = tree["endTimeUtc"]?.text.flatMap { Date(iso8601: $0) }
    status = RequestStatus(rawValue: tree["status"]?.text ?? "")
    reason = tree["statusReason"]?.text
    mappedPort = tree["mappedPort"]?.integer
  }
}

/// `Initiating`, `Initiated`, `Revoked`, or a word not known yet, which is printed as it is.
package struct RequestStatus: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: String

  package init(rawValue: String) { self.rawValue = rawValue }

  package static let initiating = RequestStatus(rawValue: "Initiating")
  package static let initiated = RequestStatus(rawValue: "Initiated")
  package static let revoked = RequestStatus(rawValue: "Revoked")

  /// Whether the port is or may still become open.
  ///
  /// Every other status is a refusal or the end.
  package var mayOpen: Bool { Assumptions.liveStatuses.contains(rawValue.lowercased()) }

  package static func == (left: RequestStatus, right: RequestStatus) -> Bool {
    left.rawValue.lowercased() == right.rawValue.lowercased()
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(rawValue.lowercased()) }

  package var description: String { rawValue }
}
