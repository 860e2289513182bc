import Platform

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Answers each connection with what it sends, or with so many zeros.
final class EchoServer: Sendable {
  let port: UInt16
  private let listeners: [Int32]

  init(repeating: Int? = nil, path: String? = nil) throws {
    let boxes: [FileDescriptorBox]
    if let path {
      port = 0
      boxes = [try LocalSockets.listen(path: path, unlinks: false, mask: 0o177)]
    } else {
      port = try freePort()
      boxes = try LocalSockets.listen(host: "localhost", port: Int(port))
    }
    listeners = boxes.map { dup($0.number) }
    for listener in listeners {
      startThread {
        while true {
          var ready = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
          guard unsafe poll(&ready, 1, -1) >= 0 || errno == EINTR else { return }
          guard ready.revents & Int16(POLLNVAL | POLLHUP) == 0 else { return }
          guard let box = try? LocalSockets.accept(listener) else { continue }
          let number = dup(box.number)
          startThread { Self.serve(number, repeating) }
        }
      }
    }
  }

  private static func serve(_ socket: Int32, _ repeating: Int?) {
    defer { close(socket) }
    if let repeating {
      let zeros = [UInt8](repeating: 0, count: 1 << 16)
      for _ in 0..<(repeating >> 16) {
        guard (try? writeAll(socket, zeros)) != nil else { return }
      }
      return
    }
    while true {
      var ready = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      _ = unsafe poll(&ready, 1, -1)
      guard let chunk = try? readSome(socket, limit: 1 << 16), !chunk.isEmpty,
        (try? writeAll(socket, chunk)) != nil
      else { return }
    }
  }

  deinit { for listener in listeners { shutdown(listener, Int32(SHUT_RDWR)) } }
}
