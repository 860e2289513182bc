import FoundationEssentials
import Platform

/// A JWT by which an application proves that it has its certificate's key.
///
/// Source: the Microsoft identity platform's page on certificate credentials.
struct ClientAssertion {
  /// How long one may be used; the platform asks for five to ten minutes.
  static let lifetime = 600

  private struct Header: Encodable {
    var alg = "PS256"
    var typ = "JWT"
    var thumbprint: String
    var x5c: [String]?

    enum CodingKeys: String, CodingKey {
      case alg, typ, x5c
      case thumbprint = "x5t#S256"
    }
  }

  private struct Payload: Encodable {
    var aud: String
    var iss: String
    var sub: String
    var jti: String
    var nbf: Int
    var iat: Int
    var exp: Int
  }

  private let payload: Payload

  /// - Parameter audience: the token endpoint's address, exactly as it is called.
  init(audience: String, clientID: String, now: Date) {
    let seconds = Int(now.timeIntervalSince1970)
    payload = Payload(
      aud: audience, iss: clientID, sub: clientID, jti: UUID().uuidString.lowercased(),
      nbf: seconds, iat: seconds, exp: seconds + Self.lifetime)
  }

  /// - Parameter sendingIt: whether the certificate goes along: itself alone, as the Azure SDKs do,
  ///   and in standard base64.
  func signed(
    by certificate: ClientCertificate, sendingIt: Bool
  ) throws(Failure) -> SecretBytes {
    let der = certificate.der
    let header = Header(
      thumbprint: base64URL(sha256(der)),
      x5c: sendingIt ? [Data(der).base64EncodedString()] : nil)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let input = [try encoder.encode(header), try encoder.encode(payload)]
        .map { base64URL(Array($0)) }.joined(separator: ".")
      let signature = base64URL(try certificate.signature(over: Array(input.utf8)))
      return SecretBytes(Array("\(input).\(signature)".utf8))
    } catch {
      throw Failure(
        .signInRefused, what: "\(EnvironmentCredential.name): the certificate cannot sign",
        why: (error as? ClientCertificate.Problem)?.text ?? "\(error)",
        next: "check AZURE_CLIENT_CERTIFICATE_PATH")
    }
  }
}
