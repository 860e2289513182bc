import Platform
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A test cannot be carried out as meant.
struct Problem: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// The built program.
enum Binary {
  /// Beside the test program, where the build puts both.
  static let path: String = {
    #if canImport(Darwin)
      let own = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
    #else
      var buffer = [CChar](repeating: 0, count: 4096)
      let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
      let own = String(
        decoding: buffer.prefix(max(count, 0)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    #endif
    return Files.parentDirectory(of: own) + "/jitconnect"
  }()
}

/// What a run of the program gave.
struct Run: Sendable {
  var ending: ChildProcess.Ending
  var output: [UInt8]
  var errorBytes: [UInt8]

  var status: Int32? { if case .exited(let status) = ending { status } else { nil } }
  var text: String { String(decoding: output, as: UTF8.self) }
  var error: String { String(decoding: errorBytes, as: UTF8.self) }
  /// The code of the first `error[…]` that was printed.
  var code: String? {
    guard let start = error.firstRange(of: "error[") else { return nil }
    return error[start.upperBound...].split(separator: "]").first.map(String.init)
  }
}

/// A program that runs with pipes on its standard descriptors, in a session without a terminal: it
/// has nobody to ask, wherever the tests run.
final class Running: Sendable {
  let process: Int32
  private let input: Mutex<FileDescriptor?>
  private let state = Mutex(State())

  private struct State {
    var collected: [[UInt8]] = [[], []]
    var open = 2
    var ending: ChildProcess.Ending?
  }

  init(
    _ arguments: [String], of program: String = Binary.path, environment: [String: String],
    directory: String
  ) throws {
    let (input, output, error) = (try makePipe(), try makePipe(), try makePipe())
    let inputEnd = FileDescriptor(owning: input.read)
    let outputEnd = FileDescriptor(owning: output.write)
    let errorEnd = FileDescriptor(owning: error.write)
    self.input = Mutex(FileDescriptor(owning: input.write))
    process = try ChildProcess(
      path: program, arguments: arguments, environment: environment, directory: directory
    ).start(
      input: inputEnd.number, output: outputEnd.number, error: errorEnd.number, newSession: true)
    for (index, descriptor) in [output.read, error.read].enumerated() {
      startThread { [self] in
        while let bytes = try? readSome(descriptor, limit: 64 << 10), !bytes.isEmpty {
          state.withLock { $0.collected[index] += bytes }
        }
        close(descriptor)
        state.withLock { $0.open -= 1 }
      }
    }
    startThread { [self, process] in
      let ending = ChildProcess.wait(for: process)
      state.withLock { $0.ending = ending }
    }
  }

  func send(_ bytes: some Collection<UInt8>) throws {
    try input.withLock { input in
      if let number = input?.number { try writeAll(number, bytes) }
    }
  }

  func closeInput() { input.withLock { _ = $0.take() } }

  func signal(_ number: Int32) {
    state.withLock { if $0.ending == nil { kill(process, number) } }
  }

  var output: [UInt8] { state.withLock { $0.collected[0] } }
  var error: String {
    String(decoding: state.withLock { $0.collected[1] }, as: UTF8.self)
  }

  /// Looks until `condition` holds or the program has ended.
  func wait(
    for what: String, timeout: Duration = .seconds(30), _ condition: () -> Bool
  ) async throws {
    let deadline = ContinuousClock.now + timeout
    while !condition() {
      if state.withLock({ $0.ending }) != nil {
        throw Problem("the program ended before \(what): \(error)")
      }
      guard .now < deadline else { throw Problem("no \(what) within \(timeout): \(error)") }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Waits until the process itself has ended, whoever holds its pipes on.
  func waitForProcess(timeout: Duration = .seconds(60)) async throws {
    let deadline = ContinuousClock.now + timeout
    while state.withLock({ $0.ending }) == nil {
      guard .now < deadline else { throw Problem("still running after \(timeout): \(error)") }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Waits for the end; the program is killed when it takes longer than `timeout`.
  func finish(timeout: Duration = .seconds(60)) async throws -> Run {
    closeInput()
    let deadline = ContinuousClock.now + timeout
    var isKilled = false
    while true {
      let (ending, open, collected) = state.withLock { ($0.ending, $0.open, $0.collected) }
      // A grandchild may hold the pipes on; it is not waited for.
      if let ending, open == 0 || .now > deadline {
        return Run(
          ending: isKilled ? .timedOut : ending, output: collected[0], errorBytes: collected[1])
      }
      if .now > deadline, !isKilled {
        signal(SIGKILL)
        isKilled = true
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }
}
