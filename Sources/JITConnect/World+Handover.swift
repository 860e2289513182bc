import Platform
import RDP

extension World {
  /// A program that hands the file on ends before the other one has read it.
  ///
  /// - Throws: `interrupted`: who interrupts needs the file no more.
  func waitForHandover(of deliveries: [DesktopDelivery]) async throws {
    guard deliveries.contains(where: \.isHandedOver) else { return }
    try await interrupts.during { try await Task.sleep(for: Assumptions.timeToReadFile) }
  }
}
