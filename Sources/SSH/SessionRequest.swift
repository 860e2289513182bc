package import Platform

/// What a session is for.
package struct SessionRequest: Sendable {
  package enum Program: Sendable, Equatable {
    case shell
    /// The remote command, as the bytes that the remote shell gets.
    case command([UInt8])
    case subsystem(String)
    /// `-N`: only forwards.
    case none
    /// `-W host:port`: standard input and output are the connection.
    case forward(host: String, port: Int)
  }

  /// A terminal on the remote side.
  package struct Terminal: Sendable {
    /// The value of `TERM`.
    package var name: String
    package var settings: TerminalSettings?
    package var size: TerminalSize

    package init(name: String, settings: TerminalSettings?, size: TerminalSize) {
      // libssh2 has 256 bytes for the name and the settings.
      self.name = name.utf8.count <= 100 ? name : "dumb"
      self.settings = settings
      self.size = size
    }
  }

  package var program: Program
  /// Nil asks for none.
  package var terminal: Terminal?
  /// Sent as far as the server accepts it.
  package var environment: [(name: String, value: String)]
  /// The escape character; nil is `none`.
  ///
  /// Only used with a terminal.
  package var escape: UInt8?
  /// `ServerAliveInterval`; nil is off.
  package var aliveInterval: Duration?
  package var aliveCountMax: Int
  package var forwarding: ForwardingPlan
  /// The agent that the other side may use (`-A`); nil forwards none.
  package var agentSocket: String?
  /// Ends the session as meant when it becomes readable, after the last forwarded connection.
  package var stop: Int32?
  /// Called once when everything stands: forwards listen and the program has been started.
  package var whenStanding: @Sendable () throws(Failure) -> Void = {}
  /// Called for each connection that a local forward takes.
  package var whenForwarding: @Sendable () -> Void = {}

  package init(
    _ program: Program, terminal: Terminal? = nil,
    environment: [(name: String, value: String)] = [], escape: UInt8? = UInt8(ascii: "~"),
    aliveInterval: Duration? = nil, aliveCountMax: Int = 3,
    forwarding: ForwardingPlan = ForwardingPlan(), agentSocket: String? = nil
  ) {
    self.forwarding = forwarding
    self.agentSocket = agentSocket
    self.program = program
    self.terminal = terminal
    self.environment = environment
    self.escape = escape
    self.aliveInterval = aliveInterval
    self.aliveCountMax = aliveCountMax
  }
}

extension SessionRequest {
  /// `-W`: the session is nothing but a forward.
  package var isForward: Bool {
    if case .forward = program { true } else { false }
  }

  /// Takes away what a server could use that is not the one it should be.
  ///
  /// - Returns: the kinds of forwarding that were lost, in ssh's words and order.
  package mutating func withdrawFromDistrusted() -> [String] {
    var lost: [String] = []
    if agentSocket != nil {
      lost.append("Agent")
      agentSocket = nil
    }
    if !forwarding.local.isEmpty || !forwarding.remote.isEmpty { lost.append("Port") }
    if forwarding.wantsTunnel { lost.append("Tunnel") }
    forwarding.local = []
    forwarding.remote = []
    forwarding.wantsTunnel = false
    return lost
  }
}

/// The local ends of a session.
///
/// The descriptors stay the caller's, and so do their flags.
package struct SessionStreams: Sendable {
  /// Nil is `-n`: nothing to read.
  package var input: Int32?
  package var output: Int32
  package var error: Int32
  /// The local terminal to make raw and to take sizes from; nil where there is none.
  package var terminal: Int32?

  package init(input: Int32? = 0, output: Int32 = 1, error: Int32 = 2, terminal: Int32? = nil) {
    self.input = input
    self.output = output
    self.error = error
    self.terminal = terminal
  }
}

/// How a session ended.
package enum Ending: Sendable, Equatable {
  /// The remote command's status.
  case exited(Int32)
  /// The signal that ended the remote command, without "SIG".
  case signalled(String)
  /// Closed without a status: `~.`, or a server that sent none.
  case noStatus
  /// `-N` or `-W`, ended as meant.
  case finished
  /// A signal to this process ended the session.
  case interrupted(Int32)

  /// The exit status, as ssh gives it.
  package var status: Int32 {
    switch self {
    case .exited(let status): status & 0xFF
    case .finished: 0
    case .signalled, .noStatus, .interrupted: 255
    }
  }
}
