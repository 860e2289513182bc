import Platform
import RDP
import Synchronization
import Terminal

/// Passphrases that were asked for in this run: once for each file, however many machines there are.
package final class DesktopPassphrases: Sendable {
  private let known = Mutex<[String: SecretBytes]>([:])

  package init() {}

  /// Reads the files and proves that they can sign.
  ///
  /// - Throws: `rdp-signing-failed`.
  func signing(
    _ files: DesktopSettings.SigningFiles, _ world: World
  ) async throws(Failure) -> DesktopSigning {
    var signing = DesktopSigning(
      certificate: try Self.read(files.certificate, "the certificate"),
      key: try files.key.map { file throws(Failure) in try Self.read(file, "the key") },
      passphrase: try files.passphrase.map { file throws(Failure) in
        Self.withoutLineEnd(try Self.read(file, "the passphrase"))
      })
    signing.passphrase = signing.passphrase ?? known.withLock { $0[files.certificate] }
    guard signing.passphrase == nil else {
      _ = try signing.signer()
      return signing
    }
    // Without one first: that tells whether one is needed.
    let needs = Mutex(false)
    do throws(Failure) {
      _ = try RDPSigner(certificate: signing.certificate, key: signing.key) {
        needs.withLock { $0 = true }
        return nil
      }
      return signing
    } catch {
      guard needs.withLock({ $0 }) else { throw error }
      switch await world.ask({ $0.secret("Passphrase of \(files.key ?? files.certificate): ") }) {
      case .given(let secret): signing.passphrase = secret
      case .interrupted: throw Failure(.interrupted, what: "interrupted")
      case .declined, .notPossible:
        var failure = error
        failure.next = "--sign-passphrase FILE names a file that holds it"
        throw failure
      }
    }
    _ = try signing.signer()
    known.withLock { [signing] in $0[files.certificate] = signing.passphrase }
    return signing
  }

  private static func read(_ path: String, _ what: String) throws(Failure) -> SecretBytes {
    do {
      var bytes = try Files.read(path, limit: 1 << 20)
      return SecretBytes(taking: &bytes)
    } catch {
      throw Failure(
        .rdpSigningFailed, what: "\(what) cannot be read from \(printable(path))",
        why: "\(error)", next: "check the file's name and mode", cause: .system(error.number))
    }
  }

  private static func withoutLineEnd(_ secret: SecretBytes) -> SecretBytes {
    unsafe secret.withBytes { bytes in
      var count = bytes.count
      while count > 0, unsafe [0x0A, 0x0D].contains(bytes[count - 1]) { count -= 1 }
      return unsafe SecretBytes(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }
  }
}
