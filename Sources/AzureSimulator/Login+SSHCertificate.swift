/// SSH certificates in the place of tokens.
extension World {
  /// Source: sign-in.md §6.1.
  mutating func sshCertificate(
    _ form: [String: String], _ type: String, _ audience: String, _ scope: String,
    _ identity: SimulatedIdentity, _ tenant: SimulatedTenant
  ) -> HTTPServerResponse {
    guard audience == "https://pas.windows.net/CheckMyAccess/Linux" else {
      return refusal(
        "invalid_resource", 500_011,
        "The resource principal named \(audience) was not found in the tenant named "
          + "\(tenant.displayName).")
    }
    guard type == "ssh-cert", let confirmation = form["req_cnf"], let id = form["key_id"],
      let key = SSHCertificateAuthority.RequestedKey(confirmation: confirmation, keyID: id)
    else {
      return refusal(
        "invalid_request", 900_144, "The key to be certified is not a JWK of an RSA key.")
    }
    guard let authority = configuration.sshAuthority,
      let certificate = try? authority.certificate(
        for: key, principal: configuration.sshPrincipal ?? identity.name, identity: identity,
        tenant: tenant.id, now: .machineNow())
    else {
      return refusal(
        "unauthorized_client", 700_016,
        "Application with identifier 'ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0' was not found in the "
          + "directory '\(tenant.displayName)'.")
    }
    return HTTPServerResponse(
      200,
      [
        "token_type": "ssh-cert", "scope": .string("\(audience)/user_impersonation \(scope)"),
        "expires_in": 3599, "ext_expires_in": 3599, "access_token": .string(certificate),
      ])
  }
}
