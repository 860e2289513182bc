import Platform

extension SSHSession {
  /// What stands among the key exchanges and is none: it tells the server what we understand.
  private static func isSignal(_ name: String) -> Bool {
    name.hasPrefix("ext-info-") || name.hasPrefix("kex-strict-")
  }

  /// Tells libssh2 what to offer the server.
  func offer(_ algorithms: AlgorithmPreferences) throws(Failure) {
    for (method, wanted, name) in [
      (SessionHandle.Method.keyExchange, algorithms.keyExchange, "KexAlgorithms"),
      (.hostKey, algorithms.hostKeys, "HostKeyAlgorithms"),
      (.cipherToServer, algorithms.ciphers, "Ciphers"),
      (.cipherToClient, algorithms.ciphers, "Ciphers"),
      (.macToServer, algorithms.macs, "MACs"), (.macToClient, algorithms.macs, "MACs"),
    ] {
      // The library refuses a list with any name it does not know; ssh passes over them.
      let known = handle.supported(method).filter { !Self.isSignal($0) }
      let names = wanted.filter { known.contains($0) }
      guard !names.isEmpty else {
        throw Failure(
          .notBuiltIn, what: "none of the wanted \(name) is known here",
          why: "libssh2 \(SessionHandle.libraryVersion) knows \(known.joined(separator: ","))",
          next: "use --client openssh")
      }
      do {
        try handle.prefer(names.joined(separator: ","), for: method)
      } catch {
        throw failure("the choice of \(name)", error)
      }
    }
  }
}
