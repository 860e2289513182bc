import HTTP
import JITConnect
import Platform
import Terminal

extension World {
  /// The world as this process finds it.
  ///
  /// - Parameters:
  ///   - logFile: where `-v` goes; nil is stderr.
  ///   - mayAsk: false with `BatchMode`.
  ///   - debug: tells of every HTTP exchange, without secrets.
  static func atTheEdge(
    _ environment: Environment, programName: String, logFile: String?, verbosity: Int,
    isQuiet: Bool, mayAsk: Bool = true, debug: Bool = false
  ) throws(Failure) -> World {
    let log: DebugLog
    do {
      log = try DebugLog(file: logFile, level: debug ? max(verbosity, 1) : verbosity)
    } catch {
      // ssh's words.
      throw Failure(
        .fileUnwritable, what: "Couldn't open logfile \(printable(logFile ?? ""))", why: "\(error)")
    }
    var console = Console.current(
      environment: environment, programName: programName, isQuiet: isQuiet)
    if logFile != nil { console = log.console(like: console) }
    var http: any HTTPTransport = HTTPClient(certificates: CertificateSource(environment))
    if debug { http = LoggedTransport(http) { log.write(1, "debug1: \($0)") } }
    let world = World(
      environment: environment, console: console,
      prompt: mayAsk ? Prompt(console: console, wake: Signals.pipe()) : .forbidden,
      http: http, clock: .system,
      version: Program.version, writeDebug: { log.write($0, $1) })
    world.writeDebug(
      1, "debug1: \(Version.longText.split(separator: "\n").joined(separator: ", "))")
    return world
  }
}
