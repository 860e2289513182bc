import FoundationEssentials
import HTTP
import Platform

/// A document that describes clouds, in either of its shapes: a list (2019-05-01), or the one cloud
/// that was asked (2022-09-01, 2015-01-01).
struct CloudMetadata: Sendable {
  /// Usable descriptions, in the document's order.
  private(set) var clouds: [Cloud] = []
  /// Why the others are not usable.
  private(set) var problems: [String] = []

  private struct Entry: Decodable, Sendable {
    var name: Lossy<String>?
    var resourceManager: String?
    // What is of another type than expected: an ornament of the document must not cost the rest.
    var portal: Lossy<String>?
    var portalEndpoint: Lossy<String>?
    var authentication: Authentication?

    struct Authentication: Decodable, Sendable {
      var loginEndpoint: String?
      var audiences: [String]?
    }
  }

  /// - Parameter url: where the document came from: its server is the Resource Manager where the
  ///   document names none (2015-01-01).
  init(_ body: [UInt8], url: String) throws(Failure) {
    let start = body.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    let data = Data(body[start...])
    let origin = CloudDirectory.endpoint(ofMetadata: url)
    let entries: [Entry?]
    if let list = try? JSONDecoder().decode([Lossy<Entry>].self, from: data) {
      entries = list.map(\.value)
    } else if let one = try? JSONDecoder().decode(Entry.self, from: data) {
      entries = [one]
    } else {
      throw .badMetadata(url, "it is not JSON, or not a description of clouds")
    }
    for entry in entries {
      do throws(Failure) {
        clouds.append(try Self.cloud(entry, origin: origin, url: url))
      } catch {
        problems.append(error.why ?? error.what)
      }
    }
    guard !clouds.isEmpty else {
      throw .badMetadata(url, problems.first ?? "it describes no cloud")
    }
  }

  private static func cloud(
    _ entry: Entry?, origin: Endpoint?, url: String
  ) throws(Failure) -> Cloud {
    guard let entry else { throw .badMetadata(url, "an entry has members of another type") }
    guard let login = entry.authentication?.loginEndpoint else {
      throw .badMetadata(url, "authentication.loginEndpoint is missing")
    }
    var origin = origin
    origin?.path = ""
    guard let resourceManager = entry.resourceManager ?? origin?.text else {
      throw .badMetadata(url, "resourceManager is missing")
    }
    let cloud = Cloud(
      name: printable(entry.name?.value ?? origin?.host ?? "", limit: 60), loginEndpoint: login,
      resourceManager: resourceManager, audiences: entry.authentication?.audiences ?? [],
      portal: entry.portal?.value ?? entry.portalEndpoint?.value, metadataURL: url)
    return try cloud.checked(
      from: "the metadata document \(printable(shownAddress(url), limit: 200))")
  }
}

extension Failure {
  static func badMetadata(_ url: String, _ why: String) -> Failure {
    Failure(
      .cloudUnknown,
      what: "the metadata document \(printable(shownAddress(url), limit: 200)) is not usable",
      why: why, next: "check --cloud and ARM_CLOUD_METADATA_URL")
  }
}

extension Cloud {
  /// The cloud with its addresses in our form, if tokens may be sent to them.
  ///
  /// - Parameter source: where the description comes from, for the message.
  func checked(from source: String) throws(Failure) -> Cloud {
    var cloud = self
    let login = try Self.safeEndpoint(loginEndpoint, "the login endpoint", source)
    let manager = try Self.safeEndpoint(resourceManager, "the Resource Manager endpoint", source)
    cloud.loginEndpoint = login.text
    cloud.resourceManager = manager.text
    cloud.portal = portal.flatMap { Endpoint($0)?.text }
    cloud.audiences = audiences.filter(Self.isAudience)
    if cloud.audiences.isEmpty { cloud.audiences = [manager.text + "/"] }
    guard Self.mayReceiveTokens(manager, of: cloud.audiences, from: login) else {
      throw Failure(
        .cloudUnknown, what: "\(source) is not usable",
        why: "tokens that \(login.authority) gives for an Azure cloud must not go to "
          + manager.authority,
        next: "check --cloud and ARM_CLOUD_METADATA_URL")
    }
    return cloud
  }

  /// An audience becomes part of a scope, and of a command that is shown to be typed.
  private static func isAudience(_ text: String) -> Bool {
    !text.isEmpty && text.first != "-"
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
          UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."),
          UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "/"):
          true
        default: false
        }
      }
  }

  private static func safeEndpoint(
    _ text: String, _ role: String, _ source: String
  ) throws(Failure) -> Endpoint {
    let shown = printable(text, limit: 200)
    guard let endpoint = Endpoint(text) else {
      throw Failure(
        .cloudUnknown, what: "\(source) is not usable", why: "\(role) \"\(shown)\" is no address",
        next: "check --cloud and ARM_CLOUD_METADATA_URL")
    }
    guard endpoint.isSafe else {
      throw Failure(
        .cloudUnknown, what: "\(source) is not usable",
        why: "\(role) \(shown) is plain http, which is only allowed on this machine",
        next: "use its https address")
    }
    return endpoint
  }
}
