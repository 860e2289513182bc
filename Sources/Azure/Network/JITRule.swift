/// What a rule's name or description tells of just-in-time access's own rules (contract section 1).
package struct JITRule: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    /// Shuts the ports of a policy: `…-JITRule_<number>_<hex>`.
    case deny
    /// Opens one for a request: `…-JITRule-<number>-<hex>`.
    case window
  }

  package var kind: Kind
  /// As the description names them; nil where it does not.
  package var policy: String?
  package var machine: String?

  // The second is of the time when Defender for Cloud was called Security Center.
  private static let prefixes = ["microsoftdefenderforcloud-jitrule", "securitycenter-jitrule"]

  /// Nil for a customer's own rule.
  package init?(name: String, description: String?) {
    let text = description ?? ""
    guard let kind = Self.kind(name: name) ?? Self.kind(description: text) else { return nil }
    self.kind = kind
    policy = PermissionDenial.quoted(after: "policy '", in: text)
    machine = PermissionDenial.quoted(after: "VM '", in: text)
  }

  /// The one character behind `JITRule` decides: a number may be negative, so that `JITRule_-20…`
  /// is a deny rule all the same.
  private static func kind(name: String) -> Kind? {
    let name = name.lowercased()
    guard let prefix = prefixes.first(where: { name.hasPrefix($0) }) else { return nil }
    switch name.dropFirst(prefix.count).first {
    case "_": return .deny
    case "-": return .window
    default: return nil
    }
  }

  /// `MDC JIT Network Access rule [created by an initiation request] for policy …`, formerly `ASC`.
  private static func kind(description: String) -> Kind? {
    let text = description.lowercased()
    guard
      ["mdc jit network access rule", "asc jit network access rule"].contains(where: text.hasPrefix)
    else { return nil }
    return text.contains("created by an initiation request") ? .window : .deny
  }
}
