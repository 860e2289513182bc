import Platform
import Synchronization

@testable import SSH

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a session wrote and how it ended.
struct SessionResult {
  var ending: Ending
  var outputBytes: [UInt8]
  var errorBytes: [UInt8]
  var output: String { String(decoding: outputBytes, as: UTF8.self) }
  var error: String { String(decoding: errorBytes, as: UTF8.self) }
}

/// A session on a thread of its own from the start: a task would wait for its turn behind tests that
/// block.
final class SessionThread: Sendable {
  private let result = Mutex<Result<Ending, any Error>?>(nil)

  init(_ session: SSHSession, _ request: SessionRequest, _ streams: SessionStreams) {
    startThread { [self] in
      let ended = Result { try session.run(request, streams: streams) }
      result.withLock { $0 = ended }
    }
  }

  /// Waits for the end; the server's own end comes in time.
  func ending() throws -> Ending {
    while true {
      if let ended = result.withLock({ $0 }) { return try ended.get() }
      _ = poll(nil, 0, 10)
    }
  }
}

/// Runs a command with files as its standard streams.
func execute(
  _ command: String, in session: SSHSession, input: [UInt8]? = nil
) throws -> SessionResult {
  try run(SessionRequest(.command(Array(command.utf8))), in: session, input: input)
}

func run(
  _ request: SessionRequest, in session: SSHSession, input: [UInt8]? = nil,
  disconnects: Bool = true
) throws -> SessionResult {
  let folder = try TestFolder.make()
  defer { TestFolder.remove(folder) }
  let flags = O_RDWR | O_CREAT | O_CLOEXEC
  let output = FileDescriptor(owning: unsafe open("\(folder)/out", flags, 0o600))
  let error = FileDescriptor(owning: unsafe open("\(folder)/err", flags, 0o600))
  var streams = SessionStreams(input: nil, output: output.number, error: error.number)
  var source: FileDescriptor?
  if let input {
    try Files.replace("\(folder)/in", with: input)
    let file = FileDescriptor(owning: unsafe open("\(folder)/in", O_RDONLY | O_CLOEXEC))
    streams.input = file.number
    source = consume file
  }
  let ending = try session.run(request, streams: streams)
  if disconnects { session.disconnect() }
  _ = source?.number
  return SessionResult(
    ending: ending, outputBytes: try Files.read("\(folder)/out", limit: 1 << 30),
    errorBytes: try Files.read("\(folder)/err", limit: 1 << 30))
}
