/// What the program takes for granted about Microsoft's clients and servers without proof: neither
/// was at hand. Each entry is stated here once.
///
/// Beside these: that Windows' client reads the signature as it is made here. The signed bytes are
/// proved by one sample of Microsoft's from the time of SHA-1; that it takes SHA-256 in the same
/// form is not (``RDPSignature``).
package enum Assumptions {
  /// The name by which `open -a` starts Microsoft's client on macOS, since September 2024.
  static let windowsAppName = "Windows App"

  /// How long that client may take to read a file after `open` has ended.
  package static let secondsToReadFile: UInt32 = 10

  /// `gatewaycredentialssource`: asks for the gateway's credentials, whatever kind it takes.
  static let gatewayCredentialsSource = 4

  /// A certificate that Windows has made for itself is renewed so near to its end.
  package static let renewalSlack = Duration.seconds(31 * 86400)
}
