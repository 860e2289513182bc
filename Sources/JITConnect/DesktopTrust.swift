import FoundationEssentials
import Platform
import RDP
import Terminal

/// Decides about what a desktop shows, by what it showed before.
struct DesktopTrust: Sendable {
  var world: World
  /// The machine, for people.
  var name: String
  /// Under what it is pinned.
  var key: String
  /// `--accept-new`.
  var acceptsNew: Bool

  /// Goes on with what is pinned already or now; asks where it is another certificate.
  ///
  /// - Throws: `rdp-certificate-changed`, `rdp-pins-unreadable`.
  func settle(_ sight: DesktopSight) async throws(Failure) -> RDPCertificate? {
    let pins = DesktopPins(world.environment, clock: world.clock)
    let pin = try pins.pin(of: key)
    switch (sight, pin) {
    case (.nothing(let why), nil):
      world.console.warn("nothing proves which server answers for \(name): \(why)")
      return nil
    case (.nothing(let why), let pin?):
      try await agree(to: "none: \(why)", hint: nil, in: pin)
      try pins.forget(key)
      return nil
    case (.certificate(let certificate), nil):
      world.console.note("\(name) shows the certificate \(described(certificate))")
      keep(certificate, in: pins)
      return certificate
    case (.certificate(let certificate), let pin?):
      if pin.fingerprint != certificate.fingerprintText {
        try await agree(
          to: "\(described(certificate))\(validity(certificate))", hint: hint(certificate, pin),
          in: pin)
      }
      keep(certificate, in: pins)
      return certificate
    }
  }

  /// A pin that cannot be written is told, and is no failure: the client is held to it all the same.
  private func keep(_ certificate: RDPCertificate, in pins: DesktopPins) {
    guard pins.path != nil else {
      return world.console.warn("the certificate cannot be pinned: you have no home folder")
    }
    do throws(Failure) {
      try pins.keep(certificate, of: key)
    } catch {
      world.console.warn("\(error)")
    }
  }

  /// - Throws: unless `--accept-new` or the user says yes.
  private func agree(
    to new: String, hint: String?, in pin: DesktopPins.Pin
  ) async throws(Failure) {
    let old = [
      "SHA-256 \(pin.fingerprint)", "first seen \(day(pin.firstSeen))",
      "last seen \(day(pin.lastSeen))", pin.validUntil.map { "valid until \(day($0))" },
    ].compactMap(\.self).joined(separator: ", ")
    let text = [
      "the RDP certificate of \(name) has changed", "  old: \(old)", "  new: \(new)",
      hint.map { "  \($0)" },
    ].compactMap(\.self).joined(separator: "\n")
    if acceptsNew {
      world.console.note(text)
      return
    }
    let answer = await world.ask {
      $0.confirm(
        "\(text)\nIf nobody renewed it, somebody may stand in between. Accept the new one?")
    }
    switch answer {
    case .given(true): return
    case .interrupted: throw Failure(.interrupted, what: "interrupted")
    default:
      throw Failure(
        .rdpCertificateChanged, what: "the RDP certificate of \(name) has changed",
        why: "old: \(old); new: \(new)" + (hint.map { "; \($0)" } ?? ""),
        next: "if that was expected: jitconnect rdp --accept-new \(name)")
    }
  }

  /// Windows' own certificates last six months and are renewed shortly before.
  private func hint(_ new: RDPCertificate, _ pin: DesktopPins.Pin) -> String? {
    guard let end = pin.validUntil, let start = new.validFrom, new.name == pin.name,
      .seconds(abs(end.timeIntervalSince(start))) < Assumptions.renewalSlack
    else { return nil }
    return "the new one begins about when the old one ended, as when Windows renews its own"
  }

  private func described(_ certificate: RDPCertificate) -> String {
    "SHA-256 \(certificate.fingerprintText) (Windows' thumbprint: \(certificate.thumbprintText))"
  }

  private func validity(_ certificate: RDPCertificate) -> String {
    (certificate.validFrom.map { ", valid from \(day($0))" } ?? "")
      + (certificate.validUntil.map { " until \(day($0))" } ?? "")
  }

  private func day(_ date: Date) -> String { String(date.formatted(.iso8601).prefix(10)) }
}
