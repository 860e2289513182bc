/// SSH certificates for virtual machines.
extension World {
  /// The certificate that the form asks for, if its key is described as it must be.
  mutating func certificate(
    _ form: [String: String], for identity: SimulatedIdentity, tenant: SimulatedTenant
  ) -> Result<String, SignInRefusal> {
    guard form["token_type"] == "ssh-cert", let text = form["req_cnf"],
      let key = try? JSON(parsing: Array(text.utf8)), key["kty"] == "RSA",
      let n = key["n"]?.text, let e = key["e"]?.text, let id = key["kid"]?.text,
      form["key_id"] == id,
      id == CertificateCheck.hexadecimal(CertificateCheck.sha256(Array((n + e).utf8)))
    else {
      return .failure(
        SignInRefusal(
          refusal("invalid_request", 900_144, "The key of the certificate is not described.")))
    }
    let wish = SSHCertificateWish(
      modulus: n, exponent: e, keyID: id, identity: identity.name, objectID: identity.objectID,
      tenant: tenant.id)
    guard let make = configuration.sshCertificate, let certificate = make(wish) else {
      return .failure(
        SignInRefusal(
          refusal(
            "invalid_resource", 500_011,
            "The resource principal named https://pas.windows.net/CheckMyAccess/Linux was not "
              + "found in the tenant named \(tenant.displayName).")))
    }
    signIn.secrets.insert(certificate)
    return .success(certificate)
  }
}

/// A certificate that was asked for correctly.
package struct SSHCertificateWish: Sendable {
  /// Base64url, as sent.
  package var modulus: String
  package var exponent: String
  package var keyID: String
  /// The person or application.
  package var identity: String
  package var objectID: String
  package var tenant: String
}
