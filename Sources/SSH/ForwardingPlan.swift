/// The forwards of a session: `-L`, `-R`, `-D`.
package struct ForwardingPlan: Sendable {
  /// Where a connection goes.
  package enum Target: Sendable, Equatable {
    case tcp(host: String, port: Int)
    /// A Unix socket.
    case socket(String)
    /// Wherever the client of the connection says, in SOCKS 4, 4a or 5.
    case socks
  }

  /// Where connections are taken.
  package enum Entrance: Sendable, Equatable {
    /// A nil host is loopback, or everywhere with `GatewayPorts`; an empty one or `*` is everywhere.
    case tcp(host: String?, port: Int)
    case socket(String)
    /// A socket that listens already, so that its port is known; it stays the caller's.
    case listening(Int32)
  }

  package struct Forward: Sendable, Equatable {
    package var entrance: Entrance
    package var target: Target

    package init(_ entrance: Entrance, to target: Target) {
      self.entrance = entrance
      self.target = target
    }
  }

  /// Taken here, connected to by the server: `-L`, and `-D` with the target ``Target/socks``.
  package var local: [Forward]
  /// Taken by the server, connected to from here: `-R`.
  package var remote: [Forward]
  /// `GatewayPorts`.
  package var allowsOthers: Bool
  /// `ExitOnForwardFailure`.
  package var failureIsFatal: Bool
  /// `StreamLocalBindUnlink`.
  package var unlinksSockets: Bool
  /// `StreamLocalBindMask`.
  package var socketMask: UInt32

  package init(
    local: [Forward] = [], remote: [Forward] = [], allowsOthers: Bool = false,
    failureIsFatal: Bool = false, unlinksSockets: Bool = false, socketMask: UInt32 = 0o177
  ) {
    self.local = local
    self.remote = remote
    self.allowsOthers = allowsOthers
    self.failureIsFatal = failureIsFatal
    self.unlinksSockets = unlinksSockets
    self.socketMask = socketMask
  }
}

extension ForwardingPlan.Target: CustomStringConvertible {
  package var description: String {
    switch self {
    case .tcp(let host, let port): "\(host) port \(port)"
    case .socket(let path): path
    case .socks: "SOCKS"
    }
  }
}
