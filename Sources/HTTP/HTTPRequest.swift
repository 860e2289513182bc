/// One HTTP exchange to be made.
package struct HTTPRequest: Sendable {
  package enum Method: String, Sendable {
    case get = "GET"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
  }

  /// Which proxy may be used.
  package enum Proxy: Sendable {
    /// The proxy variables of the environment (`https_proxy`, `no_proxy`, …), as curl reads them.
    case environment
    /// None: metadata addresses, loopback, and the question for our own address.
    case none
  }

  package var method: Method
  /// `https://…`; `http://…` only for loopback and metadata addresses (see ``HTTPError``).
  package var url: String
  /// Names are sent as given. Values must not hold CR, LF or NUL: that is refused, not escaped.
  package var headers: [(name: String, value: String)]
  package var body: [UInt8]?
  package var proxy: Proxy
  /// IPv4 alone, for the question which IPv4 address we come from.
  package var ipv4Only: Bool
  /// From start to the last byte of the answer.
  package var timeout: Duration
  /// The largest body that is read; a longer one is an error.
  package var bodyLimit: Int
  /// Whether plain `http` is allowed beyond loopback: only for the link-local metadata service.
  package var allowsPlainHTTP: Bool
  /// For a request that must not be made twice: libcurl sends a request again by itself when a
  /// kept connection turns out dead, which it cannot tell from one that died after the server
  /// had acted. A connection of its own costs a handshake and rules that out.
  package var freshConnection = false

  package init(
    _ method: Method, _ url: String, headers: [(name: String, value: String)] = [],
    body: [UInt8]? = nil, proxy: Proxy = .environment, ipv4Only: Bool = false,
    timeout: Duration = .seconds(60), bodyLimit: Int = 32 << 20, allowsPlainHTTP: Bool = false
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.proxy = proxy
    self.ipv4Only = ipv4Only
    self.timeout = timeout
    self.bodyLimit = bodyLimit
    self.allowsPlainHTTP = allowsPlainHTTP
  }
}

/// The answer to a request, of any status.
package struct HTTPResponse: Sendable {
  package var status: Int
  package var headers: HTTPHeaders
  package var body: [UInt8]

  package init(status: Int, headers: HTTPHeaders = HTTPHeaders([]), body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}

/// Header fields as they came; names compare without regard to case.
package struct HTTPHeaders: Sendable {
  package var fields: [(name: String, value: String)]

  package init(_ fields: [(name: String, value: String)]) { self.fields = fields }

  /// The first field of that name.
  package subscript(_ name: String) -> String? {
    fields.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  /// Every field of that name, in order (`WWW-Authenticate` may be repeated).
  package func all(_ name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }
}
