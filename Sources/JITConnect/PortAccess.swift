package import Azure
package import Platform
import SSHConfig

/// One port of one machine that was asked for, and what became of it.
package struct PortAccess: Sendable {
  /// As the machine is called, or as it was typed where it was not found.
  package var name: String
  package var machine: VirtualMachine?
  /// Nil where the machine was not found and no port was named.
  package var port: Int?
  package var window: GrantedWindow?
  /// Where it is connected to.
  package var address: String?
  /// Whether the port answered; nil where nobody waited for it.
  package var answers: Bool?
  package var failure: Failure?
  /// How long it was or would be asked for; nil where a window was open already.
  package var duration: Duration?

  var settings: JitSettings
  var isProxied = false
  var policy: JITPolicy?
  var plan: WindowPlan?

  init(
    name: String, machine: VirtualMachine? = nil, port: Int?, settings: JitSettings,
    isProxied: Bool = false
  ) {
    self.name = name
    self.machine = machine
    self.port = port
    self.settings = settings
    self.isProxied = isProxied
  }

  /// Whether it can still come to something.
  var isGoing: Bool { failure == nil }

  /// The port to connect to: another one where a firewall stands before the machine.
  package var connectPort: Int? { window?.mappedPort ?? port }
}
