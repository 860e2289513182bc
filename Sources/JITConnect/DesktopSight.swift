import RDP

/// What an RDP server shows of itself before anybody signs in.
enum DesktopSight: Sendable, Equatable {
  /// With the way that the server has chosen to go on.
  case certificate(RDPCertificate, RDPProbe.SecurityProtocol)
  /// The server shows none, and why.
  case nothing(String)
}
