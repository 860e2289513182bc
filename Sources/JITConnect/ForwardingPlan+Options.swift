import SSH
import SSHConfig

extension ForwardingPlan {
  /// The forwards of a command line and its configuration.
  init(_ options: SSHOptions) {
    self.init(
      local: options.localForwards.map(Forward.init),
      remote: options.remoteForwards.map(Forward.init),
      allowsOthers: options.gatewayPorts, failureIsFatal: options.exitOnForwardFailure,
      unlinksSockets: options.streamLocalBindUnlink,
      socketMask: UInt32(clamping: options.streamLocalBindMask))
    wantsTunnel = options.wantsTunnel
    permitted = options.permitRemoteOpen?.map { Permission(host: $0.host, port: $0.port) }
  }
}

extension ForwardingPlan.Forward {
  fileprivate init(_ forward: SSHForward) {
    let entrance: ForwardingPlan.Entrance =
      switch forward.listener {
      case .port(let address, let port): .tcp(host: address, port: port)
      case .socket(let path): .socket(path)
      }
    let target: ForwardingPlan.Target =
      switch forward.target {
      case .port(let host, let port): .tcp(host: host, port: port)
      case .socket(let path): .socket(path)
      case .socks: .socks
      }
    self.init(entrance, to: target)
  }
}
