import Platform
import Synchronization
import Testing

@testable import JITConnect

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private func makeSocket() -> Int32 {
  #if canImport(Glibc)
    socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  #else
    socket(AF_INET, SOCK_STREAM, 0)
  #endif
}

/// A port on loopback that is shut until it is opened; each connection is answered in its turn.
private final class Door: Sendable {
  enum Answer: Sendable {
    case pieces([String])
    case closes
    case silent
  }

  let address: InternetAddress
  private let socket: Int32
  private let answers: [Answer]
  private let state = Mutex((served: 0, open: [Int32]()))

  /// - Parameter answers: the last one is given again and again.
  init(_ answers: Answer...) throws {
    self.answers = answers
    let socket = try valueOrSystemError { makeSocket() }
    self.socket = socket
    closeOnExec(socket)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = unsafe withUnsafeMutablePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int32 in
        guard unsafe bind(socket, generic, length) == 0 else { return -1 }
        return unsafe getsockname(socket, generic, &length)
      }
    }
    guard result == 0 else { throw SystemError.last }
    address = try InternetAddress.resolve("127.0.0.1", port: UInt16(bigEndian: name.sin_port))[0]
  }

  deinit {
    shutdown(socket, Int32(SHUT_RDWR))
    close(socket)
    for client in state.withLock({ $0.open }) { close(client) }
  }

  var served: Int { state.withLock { $0.served } }

  func open() {
    guard listen(socket, 16) == 0 else { return }
    startThread { [weak self, socket] in
      while true {
        let client = accept(socket, nil, nil)
        guard client >= 0 else { return }
        guard let self else {
          close(client)
          return
        }
        self.serve(client)
      }
    }
  }

  private func serve(_ client: Int32) {
    let turn = state.withLock { state in
      state.served += 1
      return state.served - 1
    }
    switch answers[min(turn, answers.count - 1)] {
    case .pieces(let pieces):
      for piece in pieces {
        try? writeAll(client, piece.utf8)
        _ = poll(nil, 0, 5)
      }
      state.withLock { $0.open.append(client) }
    case .closes: close(client)
    case .silent: state.withLock { $0.open.append(client) }
    }
  }
}

@Suite struct PortProbeTests {
  private func probe(
    _ door: Door, seconds: Double = 20, flag: CancellationFlag = CancellationFlag(),
    _ change: (inout PortProbe) -> Void = { _ in }
  ) async throws -> AnsweringConnection? {
    var probe = PortProbe(door.address, .ssh)
    probe.interval = .milliseconds(10)
    change(&probe)
    let deadline = ContinuousClock.now + .seconds(seconds)
    return try await Blocking.run { [probe] in try probe.wait(until: deadline, flag: flag) }
  }

  @Test("a greeting in pieces, after lines of other text, is handed on whole")
  func greeting() async throws {
    let door = try Door(.pieces(["Welcome\r\n", "to this\r\nSS", "H-2.0-x\r", "\n"]))
    door.open()
    let connection = try #require(try await probe(door))
    #expect(
      String(decoding: connection.received, as: UTF8.self) == "Welcome\r\nto this\r\nSSH-2.0-x\r\n")
    let isGiven = connection.takeSocket() != nil
    let isGivenAgain = connection.takeSocket() != nil
    #expect(isGiven && !isGivenAgain)
    #expect(door.served == 1)
  }

  @Test("a port that opens while it is knocked at is noticed")
  func opens() async throws {
    let door = try Door(.pieces(["SSH-2.0-x\r\n"]))
    async let connection = probe(door)
    try await Task.sleep(for: .milliseconds(50))
    door.open()
    #expect(try await connection != nil)
  }

  @Test("a server that takes the connection and drops it is knocked at again")
  func drops() async throws {
    let door = try Door(.closes, .closes, .pieces(["SSH-2.0-x\r\n"]))
    door.open()
    #expect(try await probe(door) != nil)
    #expect(door.served == 3)
  }

  @Test("one that says nothing is left after its time, and the next may answer")
  func silent() async throws {
    let door = try Door(.silent, .pieces(["SSH-2.0-x\r\n"]))
    door.open()
    let connection = try await probe(door) { $0.answerTimeout = .milliseconds(50) }
    #expect(connection != nil)
    #expect(door.served == 2)
  }

  @Test("while a server is about to greet nobody else knocks")
  func alone() async throws {
    let door = try Door(.silent)
    door.open()
    #expect(try await probe(door, seconds: 0.3) == nil)
    #expect(door.served == 1)
  }

  @Test("another protocol is told", arguments: ["one long line", "many lines"])
  func garbage(kind: String) async throws {
    let text =
      kind == "many lines"
      ? String(repeating: "<p>\n", count: 20_000) : String(repeating: "x", count: 9000)
    let door = try Door(.pieces([text]))
    door.open()
    let failure = try await #require(throws: Failure.self) { _ = try await probe(door) }
    #expect(failure.code == .protocolFailed)
    #expect(failure.what.contains("does not speak SSH"))
  }

  @Test("nothing at all: nil at the deadline, and at once when cancelled")
  func deadline() async throws {
    let door = try Door(.closes)
    #expect(try await probe(door, seconds: 0.1) == nil)
    let flag = CancellationFlag()
    flag.cancel()
    #expect(try await probe(door, seconds: 1000, flag: flag) == nil)
  }
}
