import Azure
package import HTTP
package import Platform

/// Asks several HTTPS services at once which IPv4 address this machine comes from.
///
/// Whoever forges the answer gets the hole in the firewall, so one service is not believed when
/// several are configured: the first two equal answers decide, unless a different one has already
/// arrived. Never through a proxy, whose address would be let in instead of ours.
package struct AddressServices: Sendable {
  /// The services asked by default: each answers with the caller's address as plain text, the last
  /// with lines `name=value`, one of them `ip=`.
  package static let builtIn = [
    "https://api.ipify.org", "https://ifconfig.me/ip", "https://checkip.amazonaws.com",
    "https://icanhazip.com", "https://www.cloudflare.com/cdn-cgi/trace",
  ]

  /// What one service said.
  package enum Answer: Sendable, Equatable {
    case address(String)
    case failed(String)
  }

  package var services: [String]
  package var http: any HTTPTransport
  /// How long all of them together may take.
  package var timeout: Duration
  /// Whether there is a route to the Internet by IPv4. Nothing is sent to find out.
  package var hasIPv4: @Sendable () -> Bool = {
    // Any address of the Internet will do; this one is kept for documentation.
    InternetAddress.localAddress(towards: "192.0.2.1") != nil
  }

  package init(
    services: [String], http: any HTTPTransport, timeout: Duration = .seconds(8)
  ) {
    self.services = services
    self.http = http
    self.timeout = timeout
  }

  /// The address that the services agree on.
  ///
  /// - Parameter late: told of a service that contradicts after the decision, in words.
  /// - Throws: `address-unclear`, listing who said what.
  package func detect(late: @escaping @Sendable (String) -> Void) async throws(Failure) -> String {
    let (answers, feed) = AsyncStream.makeStream(of: (String, Answer).self)
    let asking = Task {
      await withTaskGroup(of: Void.self) { group in
        for service in services {
          group.addTask { feed.yield((service, await ask(service))) }
        }
      }
      feed.finish()
    }
    var said: [(service: String, answer: Answer)] = []
    for await (service, answer) in answers {
      said.append((service, answer))
      guard let decided = decision(said) else { continue }
      Task {
        for await (service, answer) in answers {
          if case .address(let other) = answer, other != decided {
            late("\(service) says \(other), not \(decided)")
          }
        }
      }
      return decided
    }
    asking.cancel()
    throw unclear(said)
  }

  /// What each service says, in the services' order; nobody's word decides.
  package func answers() async -> [(service: String, address: String?)] {
    let said = await sideBySide(services) { service in await ask(service) }
    return zip(services, said).map { service, answer in
      if case .address(let address) = answer { (service, address) } else { (service, nil) }
    }
  }

  private func decision(_ said: [(service: String, answer: Answer)]) -> String? {
    let addresses = said.compactMap { said -> String? in
      if case .address(let address) = said.answer { address } else { nil }
    }
    guard let first = addresses.first, addresses.allSatisfy({ $0 == first }) else { return nil }
    return addresses.count >= min(2, services.count) ? first : nil
  }

  private func ask(_ service: String) async -> Answer {
    let request = HTTPRequest(
      .get, service, headers: [("Accept", "text/plain"), ("User-Agent", "jitconnect")],
      proxy: .none, ipv4Only: true, timeout: timeout, bodyLimit: 16 << 10)
    do throws(HTTPError) {
      let response = try await http.send(request)
      guard response.status == 200 else { return .failed("HTTP status \(response.status)") }
      let isLoopback = URLParts(service)?.isLoopback == true
      guard let address = Self.address(in: response.body, acceptingLocal: isLoopback) else {
        return .failed("no public IPv4 address in the answer")
      }
      return .address(address)
    } catch {
      return .failed(error.message)
    }
  }

  /// The address in a service's answer; nil when there is none that the internet could see.
  ///
  /// - Parameter acceptingLocal: for services on this machine, which see its own addresses.
  static func address(in body: [UInt8], acceptingLocal: Bool) -> String? {
    let lines = body.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
      .map { String(decoding: $0, as: UTF8.self) }
    let candidate: String
    if let traced = lines.first(where: { $0.hasPrefix("ip=") }) {
      candidate = String(traced.dropFirst(3))
    } else {
      guard lines.count == 1 else { return nil }
      candidate = lines[0].filter { $0 != " " }
    }
    guard let octets = octets(candidate) else { return nil }
    if !acceptingLocal, isLocal(octets) { return nil }
    return octets.map(String.init).joined(separator: ".")
  }

  private static func octets(_ text: String) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let octets = parts.compactMap { part -> UInt8? in
      guard part.allSatisfy({ $0.isASCII && $0.isNumber }), part.count <= 3 else { return nil }
      return UInt8(part)
    }
    return parts.count == 4 && octets.count == 4 ? octets : nil
  }

  /// Addresses that no packet on the internet comes from (RFC 6890).
  private static func isLocal(_ octets: [UInt8]) -> Bool {
    switch (octets[0], octets[1]) {
    case (0, _), (10, _), (127, _), (169, 254), (172, 16...31), (192, 168), (100, 64...127),
      (224...255, _):
      true
    default: false
    }
  }

  private func unclear(_ said: [(service: String, answer: Answer)]) -> Failure {
    let lines = said.map { said in
      switch said.answer {
      case .address(let address): "\(said.service) says \(address)"
      case .failed(let reason): "\(said.service): \(reason)"
      }
    }
    let addresses = Set(
      said.compactMap { said -> String? in
        if case .address(let address) = said.answer { address } else { nil }
      })
    let what =
      switch addresses.count {
      case 0: "no service could tell the public IPv4 address of this machine"
      case 1: "only one service could tell the public IPv4 address of this machine"
      default: "the services disagree on the public IPv4 address of this machine"
      }
    if addresses.isEmpty, !hasIPv4() {
      return Failure(
        .addressNotIPv4, what: "this machine has no way to the Internet by IPv4",
        why: "just-in-time access lets in IPv4 addresses alone",
        next: "connect from a network with IPv4; or, where IPv6 is translated (NAT64), name the "
          + "IPv4 address that the VM sees: --source ADDRESS")
    }
    let prefixes = addresses.sorted().compactMap { SourcePrefix(parsing: $0) }
    var next = "pass the right one yourself: --source \(prefixes.first?.text ?? "ADDRESS")"
    if prefixes.count > 1 {
      let pool = SourcePrefix.pool(prefixes).map(\.text).joined(separator: ",")
      next +=
        "; behind a pool of addresses: --source \(pool)"
        + " (jitconnect request keeps it: --save-source NAME)"
    }
    return Failure(
      .addressUnclear, what: what, why: lines.joined(separator: "; "), next: next)
  }
}
