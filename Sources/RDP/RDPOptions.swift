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

  package var host: String
  package var port: Int
  /// `name`, `DOMAIN\name`, `name@domain`; nil lets the client ask.
  package var user: String?
  /// A window of that size; nil is the whole screen.
  package var size: (width: Int, height: Int)?
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

  package static func == (left: RDPOptions, right: RDPOptions) -> Bool {
    left.host == right.host && left.port == right.port && left.user == right.user
      && left.size?.width == right.size?.width && left.size?.height == right.size?.height
      && left.allMonitors == right.allMonitors && left.clipboard == right.clipboard
      && left.drives == right.drives && left.sound == right.sound
      && left.microphone == right.microphone && left.administrative == right.administrative
      && left.gateway == right.gateway && left.entraSignIn == right.entraSignIn
      && left.extra == right.extra
  }
}
