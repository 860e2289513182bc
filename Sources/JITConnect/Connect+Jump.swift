import Platform
import SSHConfig

extension Connect {
  /// The way through jump hosts: this very program connects to the last of them, through those
  /// before it, and carries the connection on from there (`-W`).
  ///
  /// So each hop has its own configuration, host key, login and, where it is an Azure VM, window.
  func jump(_ way: SSHJump, to host: String, port: Int) throws(Failure) -> ProxyProgram {
    guard let last = way.hops.last else { throw Failure(.usage, what: "no jump host is named") }
    var arguments: [String] = []
    if let user = last.user { arguments += ["-l", user] }
    if let port = last.port { arguments += ["-p", String(port)] }
    if way.hops.count > 1 {
      let before = try way.hops.dropLast().map { hop throws(Failure) in try text(of: hop) }
      arguments += ["-J", before.joined(separator: ",")]
    }
    if let file = commandLine.configFile { arguments += ["-F", file] }
    if commandLine.verbosity > 0 {
      arguments.append("-" + String(repeating: "v", count: commandLine.verbosity))
    }
    // Our child's words go where ours go, and it asks nobody where we may not.
    if let file = commandLine.logFile { arguments += ["-E", file] }
    if commandLine.has("q") { arguments.append("-q") }
    if options.batchMode { arguments += ["-o", "BatchMode=yes"] }
    arguments += ownSettings
    let target = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    arguments += ["-W", "\(target):\(port)", "--", last.host]
    var variables = world.environment.variables
    for keyword in Self.targetSettings { variables[keyword.row.variable] = nil }
    variables[HopStatus.variable] = "1"
    let process = ChildProcess(
      path: try ownProgram(), arguments: arguments, environment: variables)
    return ProxyProgram(process, shown: arguments.joined(separator: " "))
  }

  /// What the environment says of the machine that is meant, and not of those on the way.
  private static let targetSettings: [JitKeyword] = [
    .vm, .resourceGroup, .subscription, .source, .address, .client,
  ]

  /// What of our own settings on the command line counts for every hop. The source is not among
  /// them: it is the address that the last machine sees.
  private var ownSettings: [String] {
    guard options.jit.isOn else { return ["--no-jit"] }
    // Jump hosts elsewhere are reached as ssh would.
    var settings = ["-o", "\(JitKeyword.unknownHost.rawValue)=ssh"]
    for keyword in [JitKeyword.cloud, .ipServices, .reason, .wait, .tokenStore, .identity]
    where options.jit.isSpelledOut(keyword) {
      guard let value = options.jit.text(keyword) else { continue }
      settings += ["-o", "\(keyword.rawValue)=\(value)"]
    }
    return settings
  }

  private func text(of hop: SSHJump.Hop) throws(Failure) -> String {
    // The list is split at commas, the user at the last @.
    guard !(hop.user ?? "").contains(","), !hop.host.contains(",") else {
      throw Failure(.usage, what: "a jump host's name cannot hold a comma")
    }
    return (hop.user.map { "\($0)@" } ?? "")
      + (hop.host.contains(":") ? "[\(hop.host)]" : hop.host) + (hop.port.map { ":\($0)" } ?? "")
  }

  private func ownProgram() throws(Failure) -> String {
    guard let path = OwnProcess.path else {
      throw Failure(.systemFailed, what: "this program cannot find itself to start a jump")
    }
    return path
  }
}
