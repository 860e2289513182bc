import Platform
import SSH
import SSHConfig
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `KnownHostsCommand`: a program of the user's that tells more host keys, in the format of
/// known_hosts.
struct KnownHostsCommand: Sendable {
  private let command: String
  private let tokens: SSHTokens
  private let environment: Environment
  private let host: String
  private let name: String
  private let console: Console
  private let hash: FingerprintHash

  private static let timeout = Duration.seconds(120)

  /// - Parameters:
  ///   - tokens: those of the connection that was made.
  ///   - name: what the host is looked up as.
  init?(
    _ options: SSHOptions, _ tokens: SSHTokens, _ world: World, _ environment: Environment,
    name: String
  ) {
    guard let command = options.knownHostsCommand else { return nil }
    self.command = command
    self.tokens = tokens
    self.environment = environment
    console = world.console
    hash = FingerprintHash(options)
    self.name = name
    host = options.connectHost.lowercased()
  }

  /// Why the program is run, as ssh says it in `%I`.
  enum Invocation: String {
    /// To know which key to ask the server for.
    case order = "ORDER"
    /// To judge a key that the server has shown.
    case hostName = "HOSTNAME"
  }

  /// Runs the program and waits for it.
  ///
  /// - Parameter key: the server's; nil before it has shown one.
  func lines(_ invocation: Invocation, _ key: HostKey? = nil) throws(Failure)
    -> [KnownHosts.Line]
  {
    let text = key?.text.split(separator: " ").last.map(String.init)
    let words: [String]
    do throws(SSHConfigError) {
      words = try tokens.knownHostsCommand(
        command, environment: { environment[$0] },
        extra: [
          // ssh's first call has the bare name, without port or alias.
          "H": invocation == .order ? host : name, "I": invocation.rawValue,
          "t": key?.type ?? "NONE", "f": key?.fingerprint(hash) ?? "NONE", "K": text ?? "NONE",
        ])
    } catch {
      throw Failure(.configInvalid, what: "KnownHostsCommand: \(error.message)")
    }
    guard let path = words.first, path.hasPrefix("/") else {
      throw Failure(.configInvalid, what: "KnownHostsCommand path is not absolute")
    }
    let process = ChildProcess(
      path: path, arguments: Array(words.dropFirst()), environment: environment.withoutSecrets)
    let output: ChildProcess.Output
    do throws(SystemError) {
      output = try process.run(timeout: Self.timeout, limit: 1 << 20, wake: Signals.pipe())
    } catch {
      if error.number == EINTR { throw Failure(.interrupted, what: "interrupted") }
      throw Failure(
        .programFailed, what: "KnownHostsCommand failed", why: "\(path): \(error)",
        cause: .system(error.number))
    }
    for line in String(decoding: output.standardError, as: UTF8.self).split(separator: "\n") {
      console.remark(printable(String(line), limit: 1000))
    }
    guard output.ending == .exited(0) else {
      throw Failure(
        .programFailed, what: "KnownHostsCommand failed", why: "\(path): \(output.ending)")
    }
    return KnownHosts.parse(
      output.standardOutput, file: "KnownHostsCommand-\(invocation.rawValue)")
  }
}
