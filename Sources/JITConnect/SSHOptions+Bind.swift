import Platform
import SSHConfig

extension SSHOptions {
  /// The local address that a connection comes from: `-b`, or one of `-B`'s interface; nil leaves
  /// the choice to the system. Blocks while a name is looked up.
  func localAddress(towards target: InternetAddress) throws(Failure) -> InternetAddress? {
    if let text = bindAddress {
      return try InternetAddress.resolve(
        text, port: 0, family: target.isIPv6 ? .ipv6 : .ipv4)[0]
    }
    guard let name = bindInterface else { return nil }
    guard let address = InternetAddress.ofInterface(name, isIPv6: target.isIPv6) else {
      throw Failure(
        .usage, what: "the interface \(printable(name, limit: 80)) has no address to come from",
        next: "name one that is up (-B), or an address (-b)")
    }
    return address
  }
}
