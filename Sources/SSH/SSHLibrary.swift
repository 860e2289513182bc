<<<<<<< HEAD
/// The libssh2 in use.
package enum SSHLibrary {
  package static var version: String { SessionHandle.libraryVersion }
=======
/// The libssh2 that this program runs with.
package enum SSHLibrary {
  /// Such as `1.11.1`.
  package static var version: String { SessionHandle.libraryVersion }

  /// Whether RSA user keys and certificates other than ECDSA work: from 1.11.1 on.
  package static var canUseRSA: Bool { SessionHandle.canUseRSA }

  /// What is really offered to a server: our own order, without what this libssh2 lacks.
  package static var algorithms: AlgorithmPreferences {
    var algorithms = AlgorithmPreferences()
    guard let handle = try? SessionHandle(context: SessionContext()) else { return algorithms }
    algorithms.keyExchange.removeAll { !handle.supported(.keyExchange).contains($0) }
    algorithms.hostKeys.removeAll { !handle.supported(.hostKey).contains($0) }
    algorithms.ciphers.removeAll { !handle.supported(.cipherToServer).contains($0) }
    algorithms.macs.removeAll { !handle.supported(.macToServer).contains($0) }
    return algorithms
  }
>>>>>>> ssh
}
