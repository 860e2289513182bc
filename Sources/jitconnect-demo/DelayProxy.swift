import AzureSimulator
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A long line on one machine: what goes through arrives later, in order, and at full speed.
final class DelayProxy: Sendable {
  let port: UInt16
  private let listener: Int32
  private let flag = CancellationFlag()

  /// - Parameter roundTrip: half of it is added in each direction.
  init(to target: UInt16, roundTrip: Duration) throws {
    let (listener, port) = try Self.listen()
    self.listener = listener
    self.port = port
    let flag = flag
    startThread {
      while !flag.isCancelled {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        startThread { Self.serve(client, target, delay: roundTrip / 2) }
      }
    }
  }

  deinit {
    flag.cancel()
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private static func listen() throws -> (Int32, UInt16) {
    let port = try Simulator.freePort()
    let address = try InternetAddress.resolve("127.0.0.1", port: port, numericOnly: true)[0]
    return (try address.listen(), port)
  }

  /// One direction: what was read and when it is due.
  private struct Line {
    var queue: [(due: ContinuousClock.Instant, bytes: [UInt8])] = []
    var waiting = 0
    var hasEnded = false
    var isShut = false
    /// A line of 8 MiB holds what is on its way at 1 Gbit/s and 50 ms.
    var isFull: Bool { waiting >= 8 << 20 }
  }

  private static func serve(_ client: Int32, _ target: UInt16, delay: Duration) {
    guard
      let address = try? InternetAddress.resolve("127.0.0.1", port: target, numericOnly: true)[0],
      let server = try? address.startConnecting()
    else {
      close(client)
      return
    }
    defer {
      close(client)
      close(server)
    }
    setNonBlocking(client, true)
    let ends = [client, server]
    var lines = [Line(), Line()]
    while lines.contains(where: { !$0.isShut }) {
      let now = ContinuousClock.now
      var polls = (0..<2).map { index in
        var events: Int16 = 0
        if !lines[index].hasEnded, !lines[index].isFull { events |= Int16(POLLIN) }
        if let next = lines[1 - index].queue.first, next.due <= now { events |= Int16(POLLOUT) }
        return pollfd(fd: events == 0 ? -1 : ends[index], events: events, revents: 0)
      }
      let due = lines.compactMap(\.queue.first?.due).filter { $0 > now }.min()
      let left = due.map { ($0 - now).components.attoseconds / 1_000_000_000_000_000 } ?? 100
      guard unsafe poll(&polls, 2, Int32(clamping: left + 1)) >= 0 else { return }
      for index in 0..<2 {
        guard receive(ends[index], &lines[index], polls[index].revents, delay: delay),
          deliver(&lines[index], to: ends[1 - index])
        else { return }
      }
    }
  }

  private static func receive(
    _ end: Int32, _ line: inout Line, _ events: Int16, delay: Duration
  ) -> Bool {
    guard !line.hasEnded, events & Int16(POLLIN | POLLHUP | POLLERR) != 0 else { return true }
    guard let bytes = try? readSome(end, limit: 256 << 10) else { return false }
    line.queue.append((.now + delay, bytes))
    line.waiting += bytes.count
    line.hasEnded = bytes.isEmpty
    return true
  }

  private static func deliver(_ line: inout Line, to end: Int32) -> Bool {
    let now = ContinuousClock.now
    while let next = line.queue.first, next.due <= now {
      if next.bytes.isEmpty {
        shutdown(end, Int32(SHUT_WR))
        line.isShut = true
        line.queue.removeFirst()
        continue
      }
      let sent = unsafe next.bytes.withUnsafeBytes {
        unsafe send(end, $0.baseAddress, $0.count, 0)
      }
      if sent < 0 { return errno == EAGAIN }
      line.waiting -= sent
      if sent == next.bytes.count {
        line.queue.removeFirst()
      } else {
        line.queue[0].bytes.removeFirst(sent)
        return true
      }
    }
    return true
  }
}
