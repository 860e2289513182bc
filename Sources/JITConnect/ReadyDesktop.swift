import Azure
import FoundationEssentials
import Platform
import RDP

/// A desktop whose certificate is settled and whose file is made, and not yet handed out.
struct ReadyDesktop: Sendable {
  var plan: DesktopPlan
  /// The machine's or the host's name.
  var name: String
  var id: ResourceID?
  var file: RDPFile
  /// Where the client goes.
  var host: String
  var port: Int
  var end: Date?
  var certificate: RDPCertificate?
  /// How the server wants to be spoken to.
  var security: RDPProbe.SecurityProtocol?
  /// Who signed the file.
  var publisher: String?
  var place: DesktopPlace.Place

  /// How a client is to speak to the server: as the server has chosen, unless the file has another
  /// wish.
  var clientSecurity: RDPProbe.SecurityProtocol? {
    if file["enablerdsaadauth"] == "1" { return .entra }
    if file["enablecredsspsupport"] == "0", security != nil { return .tls }
    return security
  }
}
