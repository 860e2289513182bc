import Platform
import SSHConfig

extension Connect {
  /// Refuses what would be dangerous or misleading to pass over in silence: the session would go
  /// another way than was asked for.
  func refuseWhatIsNotBuiltIn() throws(Failure) {
    func refuse(_ what: String, _ next: String = "leave it out, or use ssh itself") throws(Failure)
    {
      throw Failure(.notBuiltIn, what: "\(what) is not built in yet", next: next)
    }
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
    if options.jit.entra == .yes { try refuse("--entra", "sign in to the VM with a key") }
    if options.jit.closeOnExit { try refuse("--close-on-exit", "the window ends by itself") }
    if options.jit.tokenStore == .keyring { try refuse("JitTokenStore keyring") }
    if options.jit.rdpClient != nil { try refuse("--open") }
    if options.jit.rdpFile != nil { try refuse("--output", "redirect standard output") }
    if commandLine.has(.dryRun) { try refuse("--dry-run") }
    if commandLine.has(.json) { try refuse("--json") }
  }
}
