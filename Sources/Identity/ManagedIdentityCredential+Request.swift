import HTTP
import Platform

/// What each source wants to be asked.
extension ManagedIdentityCredential {
  /// - Parameter key: the content of Azure Arc's key file, once it was asked for.
  func httpRequest(_ request: TokenRequest, _ key: SecretBytes?) -> HTTPRequest {
    let resource = request.sshKey == nil ? Self.resource(of: request.scope) : request.scope
    let base = source.endpoint.text
    var query: [(String, String)]
    var headers: [(name: String, value: String)] = [("Accept", "application/json")]
    var path = ""
    switch source {
    case .appService(_, let header):
      query = [("api-version", "2019-08-01"), ("resource", resource)]
      headers += [("X-IDENTITY-HEADER", header.exposedText), ("Metadata", "true")]
    case .arc:
      query = [("api-version", "2020-06-01"), ("resource", resource)]
      headers.append(("Metadata", "true"))
      if let key { headers.append(("Authorization", "Basic " + key.exposedText)) }
    case .machineLearning(_, let secret):
      query = [("api-version", "2017-09-01"), ("resource", resource)]
      headers.append(("secret", secret.exposedText))
    case .metadataService:
      path = "/metadata/identity/oauth2/token"
      query = [("api-version", "2018-02-01"), ("resource", resource)]
      headers.append(("Metadata", "true"))
    case .cloudShell:
      return cloudShellRequest(resource, request.sshKey)
    }
    if let clientID {
      if case .machineLearning = source {
        query.append(("clientid", clientID))
      } else {
        query.append(("client_id", clientID))
      }
    }
    let text = query.map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
    return local(HTTPRequest(.get, base + path + "?" + text, headers: headers))
  }

  private func cloudShellRequest(_ resource: String, _ key: SSHCertificateKey?) -> HTTPRequest {
    var form = FormBody()
    form.append("resource", resource)
    if let key {
      form.append("token_type", "ssh-cert")
      form.append("req_cnf", key.confirmation)
      form.append("key_id", key.id)
    }
    return local(
      HTTPRequest(
        .post, source.endpoint.text,
        headers: [
          ("Metadata", "true"), ("Accept", "application/json"),
          ("Content-Type", "application/x-www-form-urlencoded"),
        ], body: form.encoded()))
  }

  /// These services are this machine's: never through a proxy.
  private func local(_ request: HTTPRequest) -> HTTPRequest {
    var request = request
    request.proxy = .none
    request.timeout = .seconds(30)
    request.bodyLimit = 1 << 20
    request.allowsPlainHTTP = source.endpoint.isLinkLocal
    return request
  }

  /// The resource of a scope: exactly its suffix is taken off.
  static func resource(of scope: String) -> String {
    for suffix in ["/.default", "/user_impersonation"] where scope.hasSuffix(suffix) {
      return String(scope.dropLast(suffix.count))
    }
    return scope
  }
}
