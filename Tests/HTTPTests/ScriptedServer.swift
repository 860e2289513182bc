import Platform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A server on loopback that answers each connection's first request with given bytes.
final class ScriptedServer: Sendable {
  enum Answer: Sendable {
    /// Sent as it is, then the connection is closed.
    case bytes(String)
    /// The connection is reset after the request was read.
    case reset
    /// The request is read and nothing is ever sent.
    case silence
    /// Sent, and the connection kept: the next request on it is read and then reset.
    case keepThenReset(String)
  }

  let port: UInt16
  private let listener: Int32
  private let log = RequestLog()

  /// The requests read so far; the serving thread outlives the server's owner by a moment.
  private final class RequestLog: Sendable {
    private let texts = Mutex<[String]>([])
    var all: [String] { texts.withLock { $0 } }
    func add(_ text: String) { texts.withLock { $0.append(text) } }
  }

  init(_ answer: Answer) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int32 in
        guard unsafe bind(listener, generic, length) == 0 else { return -1 }
        return unsafe getsockname(listener, generic, &length)
      }
    }
    guard bound == 0, listen(listener, 16) == 0 else { throw SystemError.last }
    port = UInt16(bigEndian: address.sin_port)
    self.listener = listener
    startThread { [log] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        startThread { ScriptedServer.serve(client, answer, seen: log.add) }
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  /// The requests that were read, whole.
  var requests: [String] { log.all }

  private static func serve(_ client: Int32, _ answer: Answer, seen: (String) -> Void) {
    seen(readRequest(client))
    switch answer {
    case .bytes(let text):
      try? writeAll(client, text.utf8)
      close(client)
    case .reset:
      reset(client)
    case .silence:
      _ = try? readSome(client, limit: 1)  // until the client goes
      close(client)
    case .keepThenReset(let text):
      try? writeAll(client, text.utf8)
      seen(readRequest(client))
      reset(client)
    }
  }

  private static func readRequest(_ client: Int32) -> String {
    var text = ""
    while !text.contains("\r\n\r\n") {
      guard let bytes = try? readSome(client, limit: 64 << 10), !bytes.isEmpty else { break }
      text += String(decoding: bytes, as: UTF8.self)
    }
    return text
  }

  private static func reset(_ client: Int32) {
    var option = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(
      client, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close(client)
  }
}
