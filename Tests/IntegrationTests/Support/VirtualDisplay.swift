import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A display without a screen (Xvfb), for clients with windows; gone with its owner.
final class VirtualDisplay: Sendable {
  static let program = ChildProcess.find("Xvfb", in: Environment.current())

  /// As `DISPLAY` takes it.
  let name: String
  private let process: Int32

  init() throws {
    guard let program = Self.program else {
      throw Problem("no Xvfb is installed: run Scripts/setup test")
    }
    let pipe = try makePipe()
    let read = FileDescriptor(owning: pipe.read)
    let write = FileDescriptor(owning: pipe.write)
    let null = FileDescriptor(
      owning: try valueOrSystemError { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
    // The number of a free display comes on its standard output.
    process = try ChildProcess(
      path: program,
      arguments: ["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"],
      environment: ["PATH": "/usr/bin:/bin"]
    ).start(input: null.number, output: write.number, error: null.number, newSession: true)
    _ = consume write
    var text = ""
    while !text.hasSuffix("\n") {
      var ready = pollfd(fd: read.number, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&ready, 1, 20_000) > 0,
        let bytes = try? readSome(read.number, limit: 16), !bytes.isEmpty
      else {
        kill(process, SIGKILL)
        _ = ChildProcess.wait(for: process)
        throw Problem("Xvfb did not start")
      }
      text += String(decoding: bytes, as: UTF8.self)
    }
    name = ":" + text.filter(\.isNumber)
  }

  deinit {
    kill(process, SIGTERM)
    _ = ChildProcess.wait(for: process)
  }
}
