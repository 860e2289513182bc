import RDP

/// What is looked at before anything is opened: settings that contradict each other, a client that is
/// not there and a certificate that cannot sign end the run while nothing has happened yet.
struct DesktopPlan: Sendable {
  var settings: DesktopSettings
  /// Nil starts none.
  var client: RDPClient?
  var signing: DesktopSigning?
}
