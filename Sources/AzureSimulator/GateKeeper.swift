import Platform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The gates in front of the machines' ports: a port listens only while a rule lets someone in.
final class GateKeeper: Sendable {
  struct Gate: Sendable {
    var machineKey: String
    var machineName: String
    var address: String
    /// Where clients connect.
    var port: UInt16
    /// The machine's own port, which the rules speak of.
    var machinePort: Int
    var backend: SimulatedMachine.Gate.Backend
  }

  /// What a connection counts as, and whether it is let in.
  typealias Decision = @Sendable (Gate, _ peer: String) -> (source: String, isAllowed: Bool)
  typealias Observer = @Sendable (Gate, CallReport.GateEvent.Kind, _ source: String?) -> Void

  let gates: [Gate]

  private struct State {
    /// One bound socket for each gate.
    var sockets: [Int32]
    var listening: [Bool]
    var connections: Set<Int32> = []
    var stopped = false
  }

  private let state: Mutex<State>
  private let wake: (read: Int32, write: Int32)

  init(_ gates: [Gate], sockets: [Int32]) throws(SystemError) {
    wake = try makePipe()
    self.gates = gates
    for socket in sockets { _ = fcntl(socket, F_SETFL, O_NONBLOCK) }
    state = Mutex(State(sockets: sockets, listening: sockets.map { _ in false }))
  }

  deinit {
    close(wake.read)
    close(wake.write)
    state.withLock { state in
      for socket in state.sockets where socket >= 0 { close(socket) }
    }
  }

  /// Opens and shuts gates; done when it returns.
  func apply(_ open: [Bool], observer: Observer) {
    let changed = state.withLock { state -> [(Gate, Bool)] in
      guard !state.stopped else { return [] }
      var changed: [(Gate, Bool)] = []
      for index in gates.indices where open[index] != state.listening[index] {
        if open[index] {
          if state.sockets[index] < 0 { state.sockets[index] = bindAgain(gates[index]) }
          guard state.sockets[index] >= 0, listen(state.sockets[index], 64) == 0 else { continue }
        } else {
          // A child that is just being started still holds a copy of it: closing alone would leave
          // the port listening until then, and the next listen would be refused.
          shutdown(state.sockets[index], Int32(SHUT_RDWR))
          close(state.sockets[index])
          // Bound but not listening, the port stays ours and refuses.
          state.sockets[index] = bindAgain(gates[index])
        }
        state.listening[index] = open[index]
        changed.append((gates[index], open[index]))
      }
      return changed
    }
    guard !changed.isEmpty else { return }
    for (gate, isOpen) in changed { observer(gate, isOpen ? .opened : .closed, nil) }
    try? writeAll(wake.write, [0])
  }

  private func bindAgain(_ gate: Gate) -> Int32 {
    // A child that is just being started may hold the old socket, and with it the port, for a moment.
    for attempt in 0..<100 {
      if attempt > 0 { _ = poll(nil, 0, 10) }
      guard let socket = try? Socket.bound(to: gate.address, port: gate.port) else { continue }
      _ = fcntl(socket, F_SETFL, O_NONBLOCK)
      return socket
    }
    return -1
  }

  func start(decision: @escaping Decision, observer: @escaping Observer) {
    startThread {
      while true {
        let (listeners, stopped) = self.state.withLock { state in
          (zip(state.sockets, state.listening).map { $1 ? $0 : -1 }, state.stopped)
        }
        if stopped { return }
        let ready = Socket.readable([self.wake.read] + listeners)
        if ready.contains(self.wake.read) { _ = try? readSome(self.wake.read, limit: 64) }
        for (index, listener) in listeners.enumerated() where ready.contains(listener) {
          // The gate may have been shut in between.
          let accepted = self.state.withLock { state in
            state.listening[index] && state.sockets[index] == listener
              ? Socket.accepted(from: listener) : nil
          }
          guard let accepted else { continue }
          let gate = self.gates[index]
          let (source, isAllowed) = decision(gate, accepted.peer)
          guard isAllowed, self.keep(accepted.descriptor) else {
            observer(gate, .refused, source)
            close(accepted.descriptor)
            continue
          }
          observer(gate, .connected, source)
          startThread {
            gate.serve(accepted.descriptor)
            self.state.withLock { _ = $0.connections.remove(accepted.descriptor) }
            close(accepted.descriptor)
          }
        }
      }
    }
  }

  private func keep(_ descriptor: Int32) -> Bool {
    state.withLock { state in
      if !state.stopped { state.connections.insert(descriptor) }
      return !state.stopped
    }
  }

  /// Shuts all gates and ends the connections through them.
  func stop() {
    state.withLock { state in
      state.stopped = true
      for index in state.sockets.indices where state.sockets[index] >= 0 {
        close(state.sockets[index])
        state.sockets[index] = -1
        state.listening[index] = false
      }
      for descriptor in state.connections { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
    try? writeAll(wake.write, [0])
  }
}

extension GateKeeper.Gate {
  /// Serves a connection to its end.
  fileprivate func serve(_ descriptor: Int32) {
    switch backend {
    case .server(let address, let port):
      guard let server = try? Socket.connected(to: address, port: port) else {
        Socket.resetOnClose(descriptor)
        return
      }
      Socket.relay(descriptor, server)
      close(server)
    case .banner(let text):
      guard Socket.sendAll(descriptor, Array(text.utf8)) else { return }
      while let chunk = try? readSome(descriptor, limit: 4096), !chunk.isEmpty {
        guard Socket.sendAll(descriptor, chunk) else { return }
      }
    case .silent: while let chunk = try? readSome(descriptor, limit: 4096), !chunk.isEmpty {}
    case .remoteDesktop(let responder): responder.serve(descriptor)
    case .closing: return
    }
  }
}
