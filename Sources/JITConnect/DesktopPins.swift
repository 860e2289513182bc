import FoundationEssentials
import Platform
import RDP

/// The certificates that desktops have shown, by the machine's vmId: an address moves to other
/// machines.
struct DesktopPins: Sendable {
  /// One machine's certificate.
  struct Pin: Sendable, Equatable, Codable {
    /// SHA-256, lower-case digits with colons.
    var fingerprint: String
    var name: String
    var firstSeen: Date
    var lastSeen: Date
    var validUntil: Date?
  }

  private struct Content: Codable {
    var version = 1
    var pins: [String: Pin] = [:]
  }

  /// Nil where this user has no folder for it: then nothing is pinned.
  let path: String?
  private let owner: UInt32
  private let clock: WallClock

  init(_ environment: Environment, clock: WallClock) {
    path = environment.stateDirectory.map { $0 + "/rdp-certificates.json" }
    owner = environment.userID
    self.clock = clock
  }

  /// - Throws: `rdp-pins-unreadable`: a file that cannot be trusted is not taken for "never seen".
  func pin(of machine: String) throws(Failure) -> Pin? { try read().pins[machine] }

  /// Keeps what a machine shows; the day it was first seen stays while the certificate does.
  func keep(_ certificate: RDPCertificate, of machine: String) throws(Failure) {
    let now = clock.now()
    try change { content in
      var pin = Pin(
        fingerprint: certificate.fingerprintText, name: certificate.name, firstSeen: now,
        lastSeen: now, validUntil: certificate.validUntil)
      if let known = content.pins[machine], known.fingerprint == pin.fingerprint {
        pin.firstSeen = known.firstSeen
      }
      content.pins[machine] = pin
    }
  }

  func forget(_ machine: String) throws(Failure) {
    try change { $0.pins[machine] = nil }
  }

  private func read() throws(Failure) -> Content {
    guard let path else { return Content() }
    let why: String
    do {
      switch try Files.readPrivate(path, owner: owner) {
      case .absent: return Content()
      case .refused(let reason): why = reason
      case .bytes(let bytes):
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        if let content = try? decoder.decode(Content.self, from: Data(bytes)),
          content.version == 1
        {
          return content
        }
        why = "it is not what jitconnect writes"
      }
    } catch {
      why = "\(error)"
    }
    throw Failure(
      .rdpPinsUnreadable, what: "the pinned RDP certificates in \(path) cannot be read", why: why,
      next: "rm '\(path)' forgets them")
  }

  private func change(_ edit: (inout Content) -> Void) throws(Failure) {
    guard let path else { return }
    do {
      try Files.withLock(on: path) {
        var content = try read()
        edit(&content)
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try Files.replace(path, with: try encoder.encode(content))
      }
    } catch {
      if let failure = error as? Failure { throw failure }
      throw Failure(
        .fileUnwritable, what: "the RDP certificate cannot be pinned in \(path)", why: "\(error)",
        next: "check the folder's owner and mode")
    }
  }
}
