import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A ``DelayProxy`` in a process of its own: what it holds would count as the memory of every
/// program that the bench starts.
final class DistantServer {
  let port: UInt16
  private let child: Int32
  /// The child ends when this does.
  private let input: FileDescriptor

  init(to target: UInt16, roundTrip: Duration, environment: [String: String]) throws {
    guard let path = OwnProcess.path else { throw SystemError(ENOENT) }
    let milliseconds =
      roundTrip.components.seconds * 1000
      + roundTrip.components.attoseconds / 1_000_000_000_000_000
    let (input, output) = (try makePipe(), try makePipe())
    let childInput = FileDescriptor(owning: input.read)
    let childOutput = FileDescriptor(owning: output.write)
    let end = FileDescriptor(owning: input.write)
    let read = FileDescriptor(owning: output.read)
    let child = try ChildProcess(
      path: path, arguments: ["--distant", String(target), "--delay", String(milliseconds)],
      environment: environment
    ).start(input: childInput.number, output: childOutput.number, error: STDERR_FILENO)
    _ = consume childInput
    _ = consume childOutput
    let line = String(decoding: try readSome(read.number, limit: 16), as: UTF8.self)
    guard let port = UInt16(line.split(separator: "\n").first ?? "") else {
      throw Measurement.Failed(description: "the delay proxy did not start")
    }
    self.port = port
    self.child = child
    self.input = end
  }

  deinit {
    kill(child, SIGTERM)
    _ = ChildProcess.wait(for: child)
  }

  /// The child's side: serves until its standard input ends.
  static func serve(to target: UInt16, roundTrip: Duration) throws -> Int32 {
    Signals.ignore(SIGPIPE)
    let proxy = try DelayProxy(to: target, roundTrip: roundTrip)
    try writeAll(STDOUT_FILENO, "\(proxy.port)\n".utf8)
    while try !readSome(STDIN_FILENO, limit: 16).isEmpty {}
    return 0
  }
}
