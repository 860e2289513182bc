package import Platform

/// What a jump host's child tells the process that started it, beside what the user reads: whether
/// the port behind the host may still open, or the way to the host itself failed.
///
/// Otherwise each second of the wait would be one more failed login at the jump host.
package enum HopStatus {
  /// Set for the children that carry a jump.
  static let variable = "JITCONNECT_IS_HOP"

  static let isNoWay: Int32 = 254

  /// The child's exit status for a failure; nil where nobody of ours asks.
  package static func status(of code: Failure.Code, _ environment: Environment) -> Int32? {
    guard environment[variable] == "1" else { return nil }
    // A refused channel, to a port that is shut, is libssh2's word: `protocol-failed`.
    let mayPass: [Failure.Code] = [.forwardingFailed, .connectionLost, .protocolFailed]
    return mayPass.contains(code) ? nil : isNoWay
  }
}
