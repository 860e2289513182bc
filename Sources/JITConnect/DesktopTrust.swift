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
  /// The command to type for the same with the option that is given.
  var retyping: @Sendable (String) -> String

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
    case (.certificate(let certificate, _), nil):
      world.console.note("\(name) shows the certificate \(described(certificate))")
      try await keep(certificate, in: pins, insteadOf: nil)
      return certificate
    case (.certificate(let certificate, _), let pin?):
      if pin.fingerprint != certificate.fingerprintText {
        try await agree(
          to: "\(described(certificate))\(validity(certificate))", hint: hint(certificate, pin),
          in: pin)
      }
      try await keep(certificate, in: pins, insteadOf: pin.fingerprint)
      return certificate
    }
  }

  /// A pin that cannot be written is told, and is no failure: the client is held to it all the same.
  ///
  /// - Throws: `rdp-certificate-changed` where another run has pinned another one meanwhile.
  private func keep(
    _ certificate: RDPCertificate, in pins: DesktopPins, insteadOf old: String?
  ) async throws(Failure) {
    guard pins.path != nil else {
      return world.console.warn("the certificate cannot be pinned: you have no home folder")
    }
    let result = await outcomeOfBlocking { [key] () throws(Failure) in
      try pins.keep(certificate, of: key, insteadOf: old)
    }
    do throws(Failure) {
      if try result.get() { return }
    } catch {
      return world.console.warn("\(error)")
    }
    throw Failure(
      .rdpCertificateChanged, what: "the RDP certificate of \(name) has changed",
      why: "another run has just seen another one", next: retyping(""))
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
        next: "if that was expected: \(retyping("--accept-new"))")
    }
  }

  /// Windows' own certificates last six months and are renewed shortly before.
  private func hint(_ new: RDPCertificate, _ pin: DesktopPins.Pin) -> String? {
    guard let end = pin.validUntil, let start = new.validFrom, new.name == pin.name else {
      return nil
    }
    // By our own clock too: the certificate's dates are whatever its maker likes.
    let isNear = [start, world.clock.now()].allSatisfy {
      .seconds(abs(end.timeIntervalSince($0))) < Assumptions.renewalSlack
    }
    return isNear
      ? "the old one ends about now, when Windows renews its own; that proves nothing" : nil
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
