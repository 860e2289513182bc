/// What the user decides about an RDP session.
///
/// Everything that is shared with the VM is off until it is asked for.
package struct RDPOptions: Sendable, Equatable {
  /// Where the VM's sound is heard.
  package enum Sound: Int, Sendable {
    case here = 0
    case there = 1
    case nowhere = 2
  }

  /// In pixels.
  package struct Size: Sendable, Equatable {
    package var width: Int
    package var height: Int

    package init(width: Int, height: Int) {
      self.width = width
      self.height = height
    }
  }

  package var host: String
  package var port: Int
  /// `name`, `DOMAIN\name`, `name@domain`; nil lets the client ask.
  package var user: String?
  /// A window of that size; nil is the whole screen.
  package var size: Size?
  package var allMonitors = false
  package var clipboard = false
  /// `*`, `DynamicDrives`, or drives such as `C:\;E:\;`; nil is none.
  package var drives: String?
  package var sound = Sound.here
  package var microphone = false
  /// The administrative session (`mstsc /admin`).
  package var administrative = false
  /// A Remote Desktop gateway, `host` or `host:port`.
  package var gateway: String?
  /// Sign in with Entra ID: needs the name under which Entra ID knows the VM, not an address.
  package var entraSignIn = false
  /// `name:type:value`, of known names; of several with one name the first counts.
  package var extra: [String] = []

  package init(host: String, port: Int, user: String? = nil) {
    self.host = host
    self.port = port
    self.user = user
  }
}
