import Platform

/// A transport that tells of each exchange, for `--debug`: method, address, status, size, time and
/// the ids that support asks for.
///
/// No header that is not named here is told, no body, and no value of a query that could be a
/// secret.
package struct LoggedTransport: HTTPTransport {
  private let transport: any HTTPTransport
  private let write: @Sendable (String) -> Void

  package init(_ transport: any HTTPTransport, write: @escaping @Sendable (String) -> Void) {
    self.transport = transport
    self.write = write
  }

  package func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
    let begun = ContinuousClock.now
    let name = "http: \(request.method.rawValue) \(Self.shown(request.url))"
    write("\(name), \(request.body?.count ?? 0) bytes")
    do {
      let response = try await transport.send(request)
      var parts = [
        "\(name): HTTP \(response.status)", "\(response.body.count) bytes",
        "\((ContinuousClock.now - begun).wholeMilliseconds) ms",
      ]
      for field in Self.shownFields {
        if let value = response.headers[field] {
          parts.append("\(field.lowercased()) \(printable(value, limit: 100))")
        }
      }
      write(parts.joined(separator: ", "))
      return response
    } catch {
      write("\(name): \(printable(error.message, limit: 300))")
      throw error
    }
  }

  private static let shownFields = [
    "x-ms-correlation-request-id", "x-ms-request-id", "client-request-id", "Retry-After",
  ]

  /// What a query may show with its value; of anything else the name.
  private static let shownParameters: Set<String> = [
    "api-version", "resource", "$top", "$filter", "$expand", "$select",
  ]

  /// An address without what may be secret in it.
  static func shown(_ url: String) -> String {
    let bare = shownAddress(url)
    let parts = url.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return printable(bare, limit: 1000) }
    let query = parts[1].split(separator: "&").map { pair in
      let name = pair.prefix { $0 != "=" }
      return shownParameters.contains(name.replacing("%24", with: "$").lowercased())
        ? String(pair) : "\(name)=…"
    }
    return printable("\(bare)?\(query.joined(separator: "&"))", limit: 1000)
  }
}
