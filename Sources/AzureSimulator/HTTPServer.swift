import Platform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A small HTTP/1.1 server on a free port of 127.0.0.1: a thread for each connection, which is
/// plenty for one client program and leaves the handler free to wait.
final class HTTPServer: Sendable {
  typealias Handler = @Sendable (HTTPServerRequest) -> HTTPServerResponse

  let port: UInt16
  private let listener: Int32
  private let stopPipe: (read: Int32, write: Int32)
  private let connections = Mutex<(open: Set<Int32>, stopped: Bool)>(([], false))

  init() throws(SystemError) {
    listener = try Socket.bound(to: "127.0.0.1", port: 0)
    port = Socket.port(of: listener)
    stopPipe = try makePipe()
    _ = try valueOrSystemError { [listener] in listen(listener, 128) }
  }

  deinit {
    close(listener)
    close(stopPipe.read)
    close(stopPipe.write)
  }

  func start(now: @escaping @Sendable () -> Instant, handler: @escaping Handler) {
    startThread {
      while true {
        let ready = Socket.readable([self.listener, self.stopPipe.read])
        if ready.contains(self.stopPipe.read) { return }
        guard let (descriptor, peer) = Socket.accepted(from: self.listener) else { continue }
        let stopped = self.connections.withLock { state in
          if !state.stopped { state.open.insert(descriptor) }
          return state.stopped
        }
        if stopped {
          close(descriptor)
          return
        }
        startThread {
          var connection = HTTPConnection(descriptor: descriptor, peer: peer)
          connection.serve(now: now, handler: handler)
          self.connections.withLock { _ = $0.open.remove(descriptor) }
          close(descriptor)
        }
      }
    }
  }

  /// Takes no more connections and ends the open ones.
  func stop() {
    connections.withLock { state in
      state.stopped = true
      for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
    // A listener that nobody serves would let clients wait.
    shutdown(listener, Int32(SHUT_RDWR))
    try? writeAll(stopPipe.write, [0])
  }
}
