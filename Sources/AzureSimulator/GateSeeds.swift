import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Takes an address and the ports for every machine with gates.
struct GateSeeds {
  var gates: [GateKeeper.Gate] = []
  var sockets: [Int32] = []
  /// The public addresses taken, by lower-cased machine id.
  var addresses: [String: String] = [:]

  /// - Parameter machines: gates on a free port are told the port that was taken.
  init(_ machines: inout [SimulatedMachine]) throws {
    for index in machines.indices where !machines[index].gates.isEmpty {
      try add(&machines[index])
    }
  }

  private mutating func add(_ machine: inout SimulatedMachine) throws {
    var given: String?
    switch machine.publicAddress {
    case .none: given = "127.0.0.1"
    case .fixed(let address), .dynamic(let address): given = address
    }
    var failure: (any Error)?
    // Programs that simulate at the same time must not take one another's addresses: the ports
    // of a machine are what people would type, and so often the same.
    for attempt in 0..<64 {
      let address = given ?? Self.address(number: gates.count, attempt: attempt)
      do {
        let bound = try Self.bind(machine.gates, to: address)
        for (index, socket) in bound.enumerated() {
          if machine.gates[index].port == 0 {
            machine.gates[index].port = Int(Socket.port(of: socket))
          }
          let gate = machine.gates[index]
          gates.append(
            GateKeeper.Gate(
              machineKey: machine.id.lowercased(), machineName: machine.name,
              address: gate.address ?? address, port: Socket.port(of: socket),
              machinePort: gate.machinePort ?? gate.port, backend: gate.backend))
          sockets.append(socket)
        }
        addresses[machine.id.lowercased()] = address
        return
      } catch {
        failure = error
        if given != nil { break }
      }
    }
    if let failure { throw failure }
  }

  private static func address(number: Int, attempt: Int) -> String {
    #if canImport(Darwin)
      return "127.0.0.1"
    #else
      // All of 127/8 is this machine; the process id spreads programs over it.
      let process = UInt32(bitPattern: getpid())
      let block = (process &* 31 &+ UInt32(attempt) &* 7919) & 0x3FFF
      return IPv4(0x7F40_0000 | block << 8 | UInt32(11 + number % 240)).text
    #endif
  }

  private static func bind(
    _ gates: [SimulatedMachine.Gate], to address: String
  ) throws(SystemError) -> [Int32] {
    var sockets: [Int32] = []
    do throws(SystemError) {
      for gate in gates {
        guard let port = UInt16(exactly: gate.port) else { throw SystemError(EINVAL) }
        sockets.append(try Socket.bound(to: gate.address ?? address, port: port, exclusive: true))
      }
    } catch {
      for socket in sockets { close(socket) }
      throw error
    }
    return sockets
  }
}
