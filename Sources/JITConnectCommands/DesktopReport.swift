import FoundationEssentials
import JITConnect
import RDP

/// What was handed out, as its JSON has it: the same form for one machine and for several.
struct DesktopReport: Encodable {
  struct Desktop: Encodable {
    var name: String
    var id: String?
    /// Absent where the file went to a client alone, as every other member that does not apply.
    var file: String?
    var host: String
    var port: Int
    var windowEnd: Date?
    /// SHA-256 of the server's certificate.
    var certificate: String?
    var publisher: String?
  }

  var desktops: [Desktop]

  /// Writes it to stdout; nil where nobody asked for JSON.
  static func writer(_ isWanted: Bool) -> DesktopPreparation.Report? {
    guard isWanted else { return nil }
    return { deliveries in try JSONOutput.write(DesktopReport(deliveries)) }
  }

  init(_ deliveries: [DesktopDelivery]) {
    desktops = deliveries.map { delivery in
      Desktop(
        name: delivery.name, id: delivery.id, file: delivery.file, host: delivery.host,
        port: delivery.port, windowEnd: delivery.windowEnd,
        certificate: delivery.certificate?.fingerprintText, publisher: delivery.publisher)
    }
  }
}
