/// The cloud's own description, and the public-address services.
extension World {
  func metadata(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard request.method == "GET" else {
      return HTTPServerResponse(405, text: "Method not allowed\n")
    }
    let document: JSON
    switch request.parameter("api-version") {
    case "2019-05-01":
      document = [
        cloud(configuration.cloudName, login: loginURL, arm: armURL),
        cloud(
          "AzureElsewhere", login: "https://login.elsewhere.invalid/",
          arm: "https://management.elsewhere.invalid/"),
      ]
    case "2022-09-01": document = cloud(configuration.cloudName, login: loginURL, arm: armURL)
    default:
      return AzureError(
        400, "InvalidApiVersionParameter",
        "The api-version '\(request.parameter("api-version") ?? "")' is invalid. The supported "
          + "versions are '2022-09-01,2019-05-01'."
      ).response
    }
    var response = HTTPServerResponse(200, document)
    if behaviour.metadataStartsWithBOM { response.body = [0xEF, 0xBB, 0xBF] + response.body }
    return response
  }

  private func cloud(_ name: String, login: String, arm: String) -> JSON {
    [
      "portal": "https://portal.azure.com",
      "authentication": [
        "loginEndpoint": .string(login),
        "audiences": [
          "https://management.core.windows.net/", "https://management.azure.com/",
        ], "tenant": "common", "identityProvider": "AAD",
      ],
      "media": "https://rest.media.azure.net", "graphAudience": "https://graph.windows.net/",
      "graph": "https://graph.windows.net/", "name": .string(name),
      "suffixes": [
        "storage": "core.windows.net", "keyVaultDns": "vault.azure.net",
        "sqlServerHostname": "database.windows.net", "acrLoginServer": "azurecr.io",
      ],
      "batch": "https://batch.core.windows.net/", "resourceManager": .string(arm),
      "microsoftGraphResourceId": "https://graph.microsoft.com/",
    ]
  }

  func addressService(_ request: HTTPServerRequest) -> HTTPServerResponse {
    guard request.method == "GET", request.segments.count == 2,
      let service = configuration.addressServices.first(where: { $0.name == request.segments[1] })
    else { return HTTPServerResponse(404, text: "Not found\n") }
    switch addressAnswers[service.name] ?? service.answer {
    case .clientAddress: return HTTPServerResponse(200, text: behaviour.clientAddress + "\n")
    case .text(let text): return HTTPServerResponse(200, text: text)
    case .trace(let address):
      return HTTPServerResponse(
        200,
        text: "fl=1f1\nh=trace.invalid\nip=\(address ?? behaviour.clientAddress)\nts=1.0\n"
          + "visit_scheme=http\ntls=off\n")
    case .status(let status): return HTTPServerResponse(status, text: "no\n")
    case .reset:
      var response = HTTPServerResponse(status: 0)
      response.delivery = .reset
      return response
    }
  }
}
