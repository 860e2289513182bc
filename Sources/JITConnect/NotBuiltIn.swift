import Platform
import SSHConfig

extension Connect {
  /// Refuses what would be dangerous or misleading to pass over in silence: the session would go
  /// another way than was asked for.
  func refuseWhatIsNotBuiltIn() throws(Failure) {
    if options.proxyPassesSocket, options.proxyCommand != nil {
      try refuse("ProxyUseFdpass", "use a ProxyCommand that carries the bytes itself")
    }
    if commandLine.controlCommand != nil {
      // ssh's words where there is no master; nobody here ever is one.
      guard let path = options.controlPath else {
        throw Failure(.usage, what: "No ControlPath specified for \"-O\" command")
      }
      guard Files.kind(of: path) != nil else {
        throw Failure(
          .usage, what: "Control socket connect(\(path)): No such file or directory")
      }
      try refuse("a command to a master (-O)")
    }
    if options.jit.closeOnExit, options.jit.isOn, options.jit.client == .openssh {
      // This process becomes ssh: nobody is left at the end.
      try refuse("--close-on-exit with --client openssh", "leave out one of them")
    }
    if options.jit.client == .openssh, options.jit.isSpelledOut(.entra), options.jit.entra == .yes {
      try refuse("--entra with --client openssh", "leave out one of them")
    }
    if commandLine.has(.dryRun) { try refuse("--dry-run") }
    if goal == .session { try refuseWhatOnlyDesktopsTake() }
  }

  /// The same for what makes sense for a desktop alone, once it is known that this is none.
  func refuseWhatOnlyDesktopsTake() throws(Failure) {
    if commandLine.has(.json) { try refuse("--json") }
    let spelledOut = [
      (JitKeyword.rdpClient, "--open"), (.rdpFile, "--output"), (.rdpSign, "--sign"),
      (.rdpViaSSH, "--via-ssh"),
    ].first { options.jit.isSpelledOut($0.0) && options.jit.unlessNone($0.0) ?? "no" != "no" }
    guard let (_, name) = spelledOut else { return }
    throw Failure(
      .usage, what: "\(name) is for a desktop, and this is SSH",
      next: "jitconnect rdp \(name) … asks for the desktop, whatever the machine is")
  }

  private func refuse(
    _ what: String, _ next: String = "leave it out, or use ssh itself"
  ) throws(Failure) {
    throw Failure(.notBuiltIn, what: "\(what) is not built in yet", next: next)
  }
}
