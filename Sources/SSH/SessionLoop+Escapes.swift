import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is typed for us and not for the other side, and the signals.
extension SessionLoop {
  func act(_ piece: EscapeFilter.Piece) {
    guard let escapes else { return }
    let key = EscapeFilter.name(of: escapes.escape)
    switch piece {
    case .bytes(let bytes): typed.append(bytes)
    case .disconnect:
      show("\(key).\r\n")
      ending = .noStatus
      hasLeft = true
    case .suspend: suspend()
    case .help: show("\(key)?\r\n" + lines(escapes.help))
    case .listConnections: show("\(key)#\r\n" + lines(connectionList()))
    case .moreDebug, .lessDebug: show("\(key)v [LogLevel cannot be changed here]\r\n")
    case .notBuiltIn(let byte):
      show("\(key)\(EscapeFilter.name(of: byte)) [not built in]\r\n")
    }
  }

  private func connectionList() -> String {
    (["The following connections are open:", "  #0 session (\(session.place))"]
      + forwarding.connections.enumerated().map {
        "  #\($0.offset + 1) \($0.element.origin) to \($0.element.target)"
      }).map { printable($0) }.joined(separator: "\n")
  }

  private func lines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { "\($0)\r\n" }.joined()
  }

  private func show(_ text: String) {
    unsafe Array(text.utf8).withUnsafeBytes { unsafe error.take($0) }
  }

  private func suspend() {
    show("\(EscapeFilter.name(of: escapes?.escape ?? 0))^Z [suspend ssh]\r\n")
    // What stands out already goes before the shell's own words.
    output.push(isReady: false)
    error.push(isReady: false)
    terminal?.leave()
    Signals.suspend()
    try? terminal?.enter()
    needsResize = true
  }

  func watchSignals() {
    Signals.watchUnlessIgnored(SIGINT, SIGTERM, SIGHUP, SIGQUIT)
    // A reader of ours that goes away is an error of write, not the end of this process.
    Signals.ignore(SIGPIPE)
    if streams.terminal != nil { Signals.watch(SIGWINCH, SIGCONT) }
  }

  func unwatchSignals() {
    if streams.terminal != nil { Signals.restoreDefault(SIGWINCH, SIGCONT) }
  }

  func end(by signal: Int32) -> Ending {
    log.debug1("Killed by signal \(signal).")
    return request.program == .none && signal == SIGTERM ? .finished : .interrupted(signal)
  }

  func handleSignals() {
    for signal in Signals.arrived() {
      switch signal {
      case SIGWINCH: needsResize = true
      case SIGCONT:
        // Stopped from outside and continued: the shell has set the terminal as it likes it.
        terminal?.renew()
        needsResize = true
      case SIGINT, SIGTERM, SIGHUP, SIGQUIT:
        ending = end(by: signal)
        hasLeft = true
      default: break
      }
    }
  }
}
