import Platform
import Testing

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Readers that do not read.
extension ForwardingTests {
  @Test("a reader that stalls holds up nobody else")
  func stalled() async throws {
    let port = try freePort()
    let source = try EchoServer(repeating: 200 << 20)
    let plan = ForwardingPlan(local: [
      .init(.tcp(host: nil, port: Int(port)), to: .tcp(host: "127.0.0.1", port: Int(source.port)))
    ])
    try await with(plan) { server in
      let stalled = try (0..<20).map { _ in try #require(connectBox(port)) }
      for socket in stalled { #expect(try readSome(socket.number, limit: 1).count == 1) }
      let busy = try #require(connectBox(port))
      var total = 0
      while total < 20 << 20 { total += try readSome(busy.number, limit: 1 << 16).count }
      _ = server
    }
  }

  @Test("while too much waits for readers that stall, -R takes nobody in")
  func stalledRemote() async throws {
    let port = try freePort()
    // Its connections stand as soon as they are in the queue, and are not read.
    let target = try freePort()
    let sink = try #require(try LocalSockets.listen(host: "127.0.0.1", port: Int(target)).first)
    var small: Int32 = 16 << 10
    let size = socklen_t(MemoryLayout<Int32>.size)
    unsafe setsockopt(sink.number, SOL_SOCKET, SO_RCVBUF, &small, size)
    let plan = ForwardingPlan(remote: [
      .init(.tcp(host: nil, port: Int(port)), to: .tcp(host: "127.0.0.1", port: Int(target)))
    ])
    let number = dup(sink.number)
    defer { close(number) }
    // It reads on until the session has ended, which waits for what is under way.
    let reader = CancellationFlag()
    defer { reader.cancel() }
    try await with(plan) { _ in
      let senders = try (0..<40).map { _ in try #require(connectBox(port)) }
      for sender in senders { setNonBlocking(sender.number) }
      let piece = [UInt8](repeating: 7, count: 64 << 10)
      let deadline = ContinuousClock.now + .seconds(60)
      var isTurnedAway = false
      while !isTurnedAway, .now < deadline {
        for sender in senders {
          while unsafe send(sender.number, piece, piece.count, sendFlags) > 0 {}
        }
        let late = try #require(connectBox(port))
        var ended = pollfd(fd: late.number, events: Int16(POLLIN), revents: 0)
        isTurnedAway = unsafe poll(&ended, 1, 200) == 1
      }
      #expect(isTurnedAway)
      // Once the readers read, the next is let in.
      startThread {
        var boxes: [FileDescriptorBox] = []
        while !reader.isCancelled {
          if let box = try? LocalSockets.accept(number) { boxes.append(box) }
          // Nothing to read throws; an empty read is the end, which is answered by our own.
          boxes.removeAll { (try? readSome($0.number, limit: 1 << 20))?.isEmpty == true }
          _ = poll(nil, 0, 1)
        }
      }
      var isLetIn = false
      while !isLetIn, .now < deadline {
        let next = try #require(connectBox(port))
        var ended = pollfd(fd: next.number, events: Int16(POLLIN), revents: 0)
        isLetIn = unsafe poll(&ended, 1, 200) == 0
      }
      #expect(isLetIn)
    }
  }
}
