package import Platform

/// The id of an Azure resource, a resource group or a subscription.
///
/// Kept as it was received, because that is how it is sent; compared without regard to case,
/// because that is how Azure compares.
package struct ResourceID: Sendable, Hashable, CustomStringConvertible, Codable {
  /// What makes a text no resource id.
  package struct Problem: Error, Sendable, Equatable {
    package var reason: String
  }

  /// As received: `/subscriptions/…`.
  package let text: String
  /// Lower-cased, for look-ups.
  package let key: String
  package let subscription: String
  package let resourceGroup: String?
  /// `Microsoft.Compute/virtualMachines`, `Microsoft.Network/virtualNetworks/subnets`; empty for a
  /// subscription or a resource group.
  package let type: String
  /// The last segment.
  package let name: String

  package init(parsing text: String) throws(Problem) {
    guard text.utf8.count <= 2048 else { throw Problem(reason: "it is longer than 2048 bytes") }
    guard text.hasPrefix("/") else { throw Problem(reason: "it does not begin with a slash") }
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\0"..."\u{20}", "\u{7F}"..."\u{A0}", "\u{2028}", "\u{2029}":
        throw Problem(reason: "it holds a blank or a control character")
      case "?", "#", "%", "\\", "\"", "<", ">", "`":
        throw Problem(reason: "it holds the character \(scalar)")
      default: break
      }
    }
    let segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
      .map(String.init)
    for segment in segments {
      if segment.isEmpty { throw Problem(reason: "it holds an empty segment") }
      if segment == "." || segment == ".." { throw Problem(reason: "it holds a dot segment") }
    }
    var rest = segments[...]
    guard let subscription = try Self.value(of: "subscriptions", in: &rest) else {
      throw Problem(reason: "it does not begin with /subscriptions/")
    }
    let resourceGroup = try Self.value(of: "resourcegroups", in: &rest)
    var type = ""
    while let namespace = try Self.value(of: "providers", in: &rest) {
      type = namespace
      let before = rest.count
      while rest.count >= 2, let kind = rest.first, kind.lowercased() != "providers" {
        type += "/" + kind
        rest = rest.dropFirst(2)
      }
      guard rest.count < before else { throw Problem(reason: "a type and a name are missing") }
    }
    guard rest.isEmpty else { throw Problem(reason: "it ends with a lone \(rest.first ?? "")") }
    self.text = text
    key = text.lowercased()
    self.subscription = subscription
    self.resourceGroup = resourceGroup
    self.type = type
    name = segments.last ?? subscription
  }

  /// The value behind a key word at the start of `rest`, which is consumed; nil if it is not there.
  private static func value(
    of word: String, in rest: inout ArraySlice<String>
  ) throws(Problem) -> String? {
    guard let first = rest.first, first.lowercased() == word else { return nil }
    guard rest.count >= 2, let value = rest.dropFirst().first else {
      throw Problem(reason: "nothing follows \(first)")
    }
    // A doubled prefix, as in "/subscriptions/subscriptions/…": Azure answers it with a 403 that
    // speaks of a linked subscription.
    guard !["subscriptions", "resourcegroups", "providers"].contains(value.lowercased()) else {
      throw Problem(reason: "\(first) is followed by \(value)")
    }
    rest = rest.dropFirst(2)
    return value
  }

  /// Nil where the text is no id.
  package init?(_ text: String?) {
    guard let text, let id = try? ResourceID(parsing: text) else { return nil }
    self = id
  }

  package static func == (left: ResourceID, right: ResourceID) -> Bool { left.key == right.key }

  package func hash(into hasher: inout Hasher) { hasher.combine(key) }

  package var description: String { text }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    do {
      self = try ResourceID(parsing: text)
    } catch {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not a resource id: \(error.reason)")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  /// Whether this is a resource of that type, without regard to case.
  package func isType(_ type: String) -> Bool { self.type.lowercased() == type.lowercased() }
}

extension ResourceID {
  package static let virtualMachineType = "Microsoft.Compute/virtualMachines"
  package static let policyType = "Microsoft.Security/locations/jitNetworkAccessPolicies"

  /// Builds an id from parts that may have come from a user.
  private static func build(_ text: String) throws(Failure) -> ResourceID {
    do {
      return try ResourceID(parsing: text)
    } catch {
      throw Failure(
        .usage, what: "'\(printable(text))' is not a resource id", why: error.reason)
    }
  }

  package static func virtualMachine(
    subscription: String, resourceGroup: String, name: String
  ) throws(Failure) -> ResourceID {
    let id = try build(
      "/subscriptions/\(subscription)/resourceGroups/\(resourceGroup)"
        + "/providers/\(virtualMachineType)/\(name)")
    return try id.checked(virtualMachineType)
  }

  /// - Parameter location: any spelling; it is sent as `westeurope`.
  package static func policy(
    subscription: String, resourceGroup: String, location: String, name: String
  ) throws(Failure) -> ResourceID {
    let id = try build(
      "/subscriptions/\(subscription)/resourceGroups/\(resourceGroup)/providers"
        + "/Microsoft.Security/locations/\(locationKey(location))/jitNetworkAccessPolicies/\(name)")
    return try id.checked(policyType)
  }

  /// A part that holds a slash would make an id of another type.
  private func checked(_ type: String) throws(Failure) -> ResourceID {
    guard isType(type) else {
      throw Failure(.usage, what: "'\(printable(text))' is not the id of a \(type)")
    }
    return self
  }

  /// The name of the segment that follows `word`, such as the location of a policy.
  package func segment(after word: String) -> String? {
    let segments = text.split(separator: "/")
    guard let index = segments.firstIndex(where: { $0.lowercased() == word.lowercased() }),
      segments.indices.contains(index + 1)
    else { return nil }
    return String(segments[index + 1])
  }
}

/// A region in the one spelling that compares: `West Europe` and `westeurope` are the same.
package func locationKey(_ location: String) -> String {
  location.lowercased().filter { $0 != " " }
}
