import FoundationEssentials
package import HTTP
package import Platform

/// Finds the cloud to work in.
package struct CloudDirectory: Sendable {
  private let environment: Environment
  private let transport: any HTTPTransport
  private let clock: WallClock
  private let sleep: @Sendable (Duration) async -> Void
  private let warn: @Sendable (String) -> Void

  package init(
    environment: Environment, transport: any HTTPTransport, clock: WallClock = .system,
    sleep: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) },
    warn: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.environment = environment
    self.transport = transport
    self.clock = clock
    self.sleep = sleep
    self.warn = warn
  }

  /// The cloud of a name or a metadata URL (`--cloud`), else of `ARM_CLOUD_METADATA_URL`, else of
  /// `AZURE_AUTHORITY_HOST`, else the one az has selected, else AzureCloud.
  ///
  /// - Throws: `cloud-unknown`, with what is wrong.
  package func resolve(_ named: String? = nil) async throws(Failure) -> Cloud {
    let folder = AzureCLIFolder(environment)
    let isURL = named?.contains("://") == true
    var cloud: Cloud
    if let url = isURL ? named : environment["ARM_CLOUD_METADATA_URL"] {
      cloud = try await described(
        at: url, wanted: isURL ? nil : named, preferred: folder.cloudName)
    } else {
      cloud = try local(named, in: folder)
    }
    if let host = environment["AZURE_AUTHORITY_HOST"] {
      cloud.loginEndpoint = try authority(host, of: cloud).text
    }
    cloud.argument = named.flatMap { isStandard(cloud, in: folder) ? nil : Self.word($0) }
    return cloud
  }

  /// Whether it is the cloud that is meant without a word; false where only a document would tell.
  private func isStandard(_ cloud: Cloud, in folder: AzureCLIFolder) -> Bool {
    guard cloud.metadataURL == nil, environment["ARM_CLOUD_METADATA_URL"] == nil,
      let standard = try? local(nil, in: folder)
    else { return false }
    return standard.name == cloud.name && standard.resourceManager == cloud.resourceManager
  }

  /// A cloud's name or address as one word of a shell; of an address, no more than may be shown.
  private static func word(_ named: String) -> String {
    var word = named
    let query = named.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
    if named.contains("://"), !query.isEmpty,
      !query.hasPrefix("api-version=") || query.contains("&")
    {
      word = shownAddress(named) + "?…"
    }
    let isPlain = word.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: ","):
        true
      default: false
      }
    }
    return isPlain ? word : "'\(word.replacing("'", with: "'\\''"))'"
  }

  // MARK: Known without asking

  private func local(_ named: String?, in folder: AzureCLIFolder) throws(Failure) -> Cloud {
    if named == nil, let host = environment["AZURE_AUTHORITY_HOST"],
      let login = Self.authorityEndpoint(host),
      let cloud = Cloud.builtIn.first(where: { $0.environmentAliases.contains(login.authority) })
    {
      return cloud
    }
    let name = named ?? folder.cloudName ?? Cloud.azureCloud.name
    if let cloud = Self.localCloud(named: name, in: folder) {
      return try cloud.checked(from: "the cloud \(cloud.name)")
    }
    let own = folder.clouds.sections
    let names =
      Cloud.builtIn.map(\.name) + own.filter { folder.clouds[$0, Self.managerKey] != nil }
    throw Failure(
      .cloudUnknown, what: "there is no cloud \"\(printable(name, limit: 60))\"",
      why: (named == nil ? "az has selected it; " : "")
        + "known are \(names.map { printable($0, limit: 60) }.joined(separator: ", "))",
      next: "give one of them with --cloud, or the URL of a metadata document")
  }

  private static let managerKey = "endpoint_resource_manager"

  /// A built-in cloud with what az's `clouds.config` lays over it, or one of that file alone.
  static func localCloud(named name: String, in folder: AzureCLIFolder) -> Cloud? {
    let builtIn = Cloud.builtIn.first { $0.name.lowercased() == name.lowercased() }
    let file = folder.clouds
    guard let section = file.sections.first(where: { $0.lowercased() == name.lowercased() })
    else { return builtIn }
    let manager = file[section, managerKey]
    let login = file[section, "endpoint_active_directory"]
    let audience =
      file[section, "endpoint_active_directory_resource_id"] ?? file[section, "endpoint_management"]
    if var cloud = builtIn {
      if let manager { cloud.resourceManager = manager }
      if let login { cloud.loginEndpoint = login }
      if let audience, cloud.audiences.first != audience { cloud.audiences = [audience] }
      return cloud
    }
    guard let manager, let login else { return nil }
    return Cloud(
      name: section, loginEndpoint: login, resourceManager: manager,
      audiences: audience.map { [$0] } ?? [], portal: file[section, "endpoint_portal"])
  }

  // MARK: AZURE_AUTHORITY_HOST

  /// The variable may be a URL or a bare host.
  private static func authorityEndpoint(_ text: String) -> Endpoint? {
    let text = text.trimmingASCIISpace
    return Endpoint(text.contains("://") ? text : "https://" + text)
  }

  private func authority(_ text: String, of cloud: Cloud) throws(Failure) -> Endpoint {
    let shown = "AZURE_AUTHORITY_HOST \(printable(text, limit: 100))"
    guard let endpoint = Self.authorityEndpoint(text), endpoint.isSafe else {
      throw Failure(
        .cloudUnknown, what: "\(shown) is no login server", why: "it must be an https address",
        next: "unset AZURE_AUTHORITY_HOST, or set it to \(cloud.loginEndpoint)")
    }
    guard let login = Endpoint(cloud.loginEndpoint) else { return endpoint }
    if endpoint.isSameServer(as: login) {
      return login
    }
    if endpoint.scheme == .https, endpoint.path.isEmpty, endpoint.port ?? 443 == 443,
      cloud.environmentAliases.contains(endpoint.host)
    {
      return endpoint
    }
    throw Failure(
      .cloudUnknown, what: "\(shown) is not a login server of \(cloud.name)",
      why: "credentials go only to servers that the cloud names: \(cloud.loginEndpoint)",
      next: "unset AZURE_AUTHORITY_HOST, or choose its cloud with --cloud")
  }

  // MARK: Metadata documents

  /// The server of a metadata URL; nil where it is none that may be asked.
  static func endpoint(ofMetadata url: String) -> Endpoint? {
    let parts = url.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let base = parts.first, url.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
      !url.contains("#")
    else { return nil }
    return Endpoint(String(base))
  }

  private struct CachedDocument: Codable {
    var version: Int
    var url: String
    var fetchedAt: Int
    var clouds: [Cloud]
  }

  private func described(
    at url: String, wanted: String?, preferred: String?
  ) async throws(Failure) -> Cloud {
    guard let endpoint = Self.endpoint(ofMetadata: url) else {
      throw .badMetadata(url, "it is no address of a server")
    }
    guard endpoint.isSafe else {
      throw .badMetadata(url, "plain http is only allowed on this machine")
    }
    let cached = readCache(url)
    let age = cached.map { clock.now().timeIntervalSince1970 - Double($0.fetchedAt) }
    if let cached, let age, (0..<86_400).contains(age),
      let cloud = Self.pick(from: cached.clouds, wanted: wanted, preferred: preferred)
    {
      return cloud
    }
    let body: [UInt8]
    do {
      body = try await fetch(url, endpoint)
    } catch {
      if let cached,
        let cloud = Self.pick(from: cached.clouds, wanted: wanted, preferred: preferred)
      {
        warn("\(error.what); what it said before is used")
        return cloud
      }
      throw error
    }
    let metadata = try CloudMetadata(body, url: url)
    await writeCache(
      CachedDocument(
        version: 1, url: url, fetchedAt: Int(clock.now().timeIntervalSince1970),
        clouds: metadata.clouds))
    guard let cloud = Self.pick(from: metadata.clouds, wanted: wanted, preferred: preferred) else {
      let names = metadata.clouds.map(\.name).joined(separator: ", ")
      throw .badMetadata(
        url,
        (["\"\(printable(wanted ?? "", limit: 60))\" is not in it; it describes \(names)"]
          + metadata.problems).joined(separator: "; "))
    }
    return cloud
  }

  /// The one that was named, else the one az has selected, else the first.
  private static func pick(from clouds: [Cloud], wanted: String?, preferred: String?) -> Cloud? {
    func named(_ name: String) -> Cloud? {
      clouds.first { $0.name.lowercased() == name.lowercased() }
    }
    if let wanted { return named(wanted) }
    return preferred.flatMap(named) ?? clouds.first
  }

  private func fetch(_ url: String, _ endpoint: Endpoint) async throws(Failure) -> [UInt8] {
    var attempt = 1
    while true {
      do {
        let response = try await transport.send(
          HTTPRequest(
            .get, url, headers: [("Accept", "application/json")],
            proxy: endpoint.isLoopback ? .none : .environment, timeout: .seconds(15),
            bodyLimit: 4 << 20))
        if response.status == 200 { return response.body }
        guard response.status >= 500 || response.status == 429, attempt < 3 else {
          throw Failure(
            .cloudUnknown,
            what: "the metadata document \(printable(shownAddress(url), limit: 200)) is not given",
            why: "the server answers HTTP \(response.status)",
            next: "check --cloud and ARM_CLOUD_METADATA_URL",
            cause: .http(status: response.status, serviceCode: nil, correlationID: nil))
        }
      } catch let error as HTTPError {
        guard [.connectFailed, .interrupted].contains(error.kind), attempt < 3 else {
          throw Failure(
            .networkFailed,
            what:
              "the metadata document \(printable(shownAddress(url), limit: 200)) cannot be fetched",
            why: printable(error.message, limit: 300),
            next: "check the network, --cloud and ARM_CLOUD_METADATA_URL")
        }
      } catch let error as Failure {
        throw error
      } catch {
        throw Failure(.systemFailed, what: "\(error)")
      }
      await sleep(.milliseconds(500 * attempt))
      attempt += 1
    }
  }

  private func cachePath(_ url: String) -> String? {
    environment.cacheDirectory.map { "\($0)/clouds/\(sha256Hex(url).prefix(16)).json" }
  }

  private func readCache(_ url: String) -> CachedDocument? {
    guard let path = cachePath(url),
      case .bytes(let bytes) = try? Files.readPrivate(path, owner: environment.userID),
      var cached = try? JSONDecoder().decode(CachedDocument.self, from: Data(bytes)),
      cached.version == 1, cached.url == url
    else { return nil }
    cached.clouds = cached.clouds.compactMap { cloud in
      cloud.metadataURL == url ? try? cloud.checked(from: "the cached document") : nil
    }
    return cached.clouds.isEmpty ? nil : cached
  }

  private func writeCache(_ document: CachedDocument) async {
    guard let path = cachePath(document.url), let data = try? JSONEncoder().encode(document) else {
      return
    }
    // A cache that cannot be written costs a call next time, nothing else.
    try? await Blocking.run { try Files.replace(path, with: Array(data)) }
  }
}
