import Platform
import SSH
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Connect {
  /// Reaches the host as plain ssh would: no call to Azure, ssh's own known_hosts files.
  func connectPlainly() async throws -> Int32 {
    if goal != .desktop { try refuseWhatOnlyDesktopsTake() }
    if options.jit.client == .openssh, !commandLine.has(.stdio), goal != .desktop {
      throw try becomeOpenSSH()
    }
    let host = options.connectHost
    guard SSHName.isValidHost(host) else {
      throw Failure(.usage, what: "hostname contains invalid characters")
    }
    if let proxy = try proxy(to: host, port: options.port, nil) {
      world.debug("Executing proxy command: \(proxy.shown)")
      return try await runSession(over: proxy.start())
    }
    let family: InternetAddress.Family =
      switch options.addressFamily {
      case .any: .any
      case .inet: .ipv4
      case .inet6: .ipv6
      }
    guard let port = UInt16(exactly: options.port) else {
      throw Failure(.usage, what: "\(options.port) is no port")
    }
    let connection = try await world.interrupts.during {
      let addresses = try await outcomeOfBlocking { () throws(Failure) in
        try InternetAddress.resolve(host, port: port, family: family)
      }.mapError { failure in
        // Not what the resolver's failure advises for a VM.
        var failure = failure
        failure.next = nil
        return failure
      }.get()
      return try await firstAnswer(host, addresses)
    }
    return try await runSession(over: connection)
  }

  private func runSession(over connection: AnsweringConnection) async throws -> Int32 {
    if commandLine.has(.stdio) { return try await carryStandardStreams(over: connection) }
    if goal == .desktop {
      return try await openDesktopBehindSSH(nil, connection, isConfirmed: true)
    }
    let plan = SessionPlan(self, machine: nil, isConfirmed: true)
    return try await plan.run(over: connection)?.status ?? 255
  }

  /// Tries each address in turn, `ConnectionAttempts` times, as ssh does.
  private func firstAnswer(
    _ host: String, _ addresses: [InternetAddress]
  ) async throws(Failure) -> AnsweringConnection {
    let limit = options.connectTimeout.map { Duration.seconds($0) }
    var refusal: Failure?
    for attempt in 0..<max(options.connectionAttempts, 1) {
      if attempt > 0 { try? await Task.sleep(for: .seconds(1)) }
      for address in addresses {
        world.debug("Connecting to \(host) [\(address.host)] port \(address.port).")
        let result = await outcomeOfBlocking { () throws(Failure) in
          try PlainConnection.open(
            address, from: options.localAddress(towards: address), limit: limit)
        }
        switch result {
        case .success(let connection):
          world.debug("Connection established.")
          return connection
        case .failure(let failure):
          world.debug("connect to address \(address.host) port \(address.port): \(failure.what)")
          refusal = failure
        }
      }
    }
    guard var refusal else { throw Failure(.hostUnreachable, what: "no address to connect to") }
    refusal.what = "connect to host \(host) port \(options.port): \(refusal.what)"
    throw refusal
  }
}

/// One connection attempt without overlap, for hosts whose port does not open by and by.
enum PlainConnection {
  static func open(
    _ address: InternetAddress, from local: InternetAddress?, limit: Duration?
  ) throws(Failure) -> AnsweringConnection {
    func failure(_ error: SystemError) -> Failure {
      Failure(
        .hostUnreachable, what: "\(error)", cause: .system(error.number))
    }
    do throws(SystemError) {
      let descriptor = FileDescriptor(owning: try address.startConnecting(from: local))
      try waitUntilWritable(descriptor.number, limit: limit)
      if let error = connectionError(of: descriptor.number) { throw error }
      return AnsweringConnection(socket: descriptor, received: [], address: address)
    } catch {
      throw failure(error)
    }
  }

  private static func waitUntilWritable(
    _ descriptor: Int32, limit: Duration?
  ) throws(SystemError) {
    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    let count = try valueOrSystemError {
      unsafe poll(&ready, 1, limit.map(\.pollMilliseconds) ?? -1)
    }
    if count == 0 { throw SystemError(ETIMEDOUT) }
  }
}
