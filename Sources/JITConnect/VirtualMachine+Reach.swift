import Azure
import Platform
import SSHConfig

extension VirtualMachine {
  /// The address to connect to.
  ///
  /// - Parameters:
  ///   - wish: `JitAddress`.
  ///   - entry: the machine's entry in its policy, which names the firewall before it.
  ///   - prefersPrivate: for what is reached through another host, which needs no public address.
  func address(
    _ wish: JitSettings.Address, _ entry: JITPolicy.Machine?, prefersPrivate: Bool = false
  ) throws(Failure) -> String {
    let publicAddress = addresses.lazy.compactMap(\.publicIPv4).first
    let privateAddress = addresses.lazy.compactMap(\.privateIPv4).first
    switch wish {
    case .public:
      if let firewall = entry?.publicIPAddress { return firewall }
      if prefersPrivate, let privateAddress { return privateAddress }
      if let publicAddress { return publicAddress }
      if let action = refusedActions.first {
        throw Failure(
          .notPermitted, what: "the public address of \(name) could not be read",
          why: unread.first,
          next: "ask for the action \(action) (it is in the role Reader), or name the address: "
            + "-o HostName=ADDRESS")
      }
      throw Failure(
        .noPublicAddress, what: "\(name) has no public address",
        why: privateAddress.map { "its private address is \($0)" }
          ?? unread.first.map { "its address could not be read: \($0)" },
        next: "from its own network: --address private; else use a jump host or Azure Bastion")
    case .private:
      if let privateAddress { return privateAddress }
      throw Failure(
        .noPrivateAddress, what: "no private IPv4 address of \(name) is known",
        next: "jitconnect --address public \(name)")
    }
  }
}
