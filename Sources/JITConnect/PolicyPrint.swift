import Azure
package import Platform

/// A policy as text for other tools, instead of writing it.
package enum PolicyPrint: String, Sendable, CaseIterable {
  case bicep, azapi, arm, rest

  private static let type = "Microsoft.Security/locations/jitNetworkAccessPolicies"
  private static let version = APIVersion.jitPolicies.rawValue

  /// Every policy in one document.
  package func text(_ policies: [PolicyWork.Prepared]) throws(Failure) -> String {
    switch self {
    case .rest: return policies.map { $0.call.azLine + "\n" }.joined()
    case .azapi: return policies.compactMap(Self.terraform).joined(separator: "\n")
    case .arm, .bicep:
      let groups = Set(
        policies.map {
          "\($0.plan.policy.subscription)/\($0.plan.policy.resourceGroup ?? "")".lowercased()
        })
      guard groups.count <= 1 else {
        throw Failure(
          .usage, what: "a template is for one resource group, and these policies lie in several",
          next: "print them one group at a time, or with --print azapi")
      }
      return self == .arm ? Self.template(policies) : Self.bicep(policies)
    }
  }

  // MARK: Templates

  private static func template(_ policies: [PolicyWork.Prepared]) -> String {
    let resources = policies.compactMap { item -> JSONTree? in
      guard let body = item.body else { return nil }
      var resource: JSONTree = [
        "type": .string(type), "apiVersion": .string(version), "name": .string(name(item)),
      ]
      for member in body.members { resource.set(member.name, to: escaped(member.value)) }
      return resource
    }
    let template: JSONTree = [
      "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
      "contentVersion": "1.0.0.0", "resources": .array(resources),
    ]
    return template.indentedText
  }

  private static func name(_ item: PolicyWork.Prepared) -> String {
    let policy = item.plan.policy
    return "\(policy.segment(after: "locations") ?? "")/\(policy.name)"
  }

  /// In a template a text that begins with a bracket would be an expression.
  private static func escaped(_ tree: JSONTree) -> JSONTree {
    switch tree {
    case .string(let text) where text.hasPrefix("["): .string("[" + text)
    case .array(let elements): .array(elements.map(escaped))
    case .object(let members):
      .object(members.map { JSONTree.Member($0.name, escaped($0.value)) })
    default: tree
    }
  }

  private static func bicep(_ policies: [PolicyWork.Prepared]) -> String {
    policies.enumerated().compactMap { index, item -> String? in
      guard let body = item.body else { return nil }
      var text = "resource jitPolicy\(policies.count > 1 ? String(index + 1) : "") "
      text += "'\(type)@\(version)' = {\n  name: \(bicep(.string(name(item)), 1))\n"
      for member in body.members {
        text += "  \(key(member.name)): \(bicep(member.value, 1))\n"
      }
      return text + "}\n"
    }.joined(separator: "\n")
  }

  private static func bicep(_ tree: JSONTree, _ depth: Int) -> String {
    let inner = String(repeating: "  ", count: depth + 1)
    let end = String(repeating: "  ", count: depth)
    switch tree {
    case .null: return "null"
    case .boolean(let value): return value ? "true" : "false"
    // Bicep has whole numbers only.
    case .number(let text): return Int(text) == nil ? "json('\(text)')" : text
    case .string(let text):
      var quoted = "'"
      for scalar in text.unicodeScalars {
        switch scalar {
        case "'": quoted += "\\'"
        case "\\": quoted += "\\\\"
        case "\n": quoted += "\\n"
        case "\r": quoted += "\\r"
        case "\t": quoted += "\\t"
        default: quoted.unicodeScalars.append(scalar)
        }
      }
      return quoted.replacing("${", with: "\\${") + "'"
    case .array(let elements):
      if elements.isEmpty { return "[]" }
      return "[\n" + elements.map { inner + bicep($0, depth + 1) + "\n" }.joined() + end + "]"
    case .object(let members):
      if members.isEmpty { return "{}" }
      return "{\n"
        + members.map { "\(inner)\(key($0.name)): \(bicep($0.value, depth + 1))\n" }.joined() + end
        + "}"
    }
  }

  private static func key(_ name: String) -> String {
    let isPlain =
      name.first.map { $0.isASCII && ($0.isLetter || $0 == "_") } ?? false
      && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    return isPlain ? name : bicep(.string(name), 0)
  }

  // MARK: Terraform

  private static func terraform(_ item: PolicyWork.Prepared) -> String? {
    guard let body = item.body else { return nil }
    let policy = item.plan.policy
    // As in the resource's own name: letters, digits and underscores.
    let label = [policy.resourceGroup ?? "", policy.segment(after: "locations") ?? "", policy.name]
      .joined(separator: "_").map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    let parent = policy.text.split(separator: "/").dropLast(2).joined(separator: "/")
    return """
      # Rules of open windows live in the network security group. Where Terraform owns the group, keep
      # lifecycle { ignore_changes = [security_rule] } on it, or each apply ends them.
      resource "azapi_resource" "jit_\(String(label))" {
        type                      = "\(type)@\(version)"
        name                      = \(hcl(.string(policy.name), 1))
        parent_id                 = \(hcl(.string("/" + parent), 1))
        schema_validation_enabled = false
        body = \(hcl(body, 1))
      }

      """
  }

  private static func hcl(_ tree: JSONTree, _ depth: Int) -> String {
    let inner = String(repeating: "  ", count: depth + 1)
    let end = String(repeating: "  ", count: depth)
    switch tree {
    case .array(let elements):
      if elements.isEmpty { return "[]" }
      return "[\n" + elements.map { inner + hcl($0, depth + 1) + ",\n" }.joined() + end + "]"
    case .object(let members):
      if members.isEmpty { return "{}" }
      return "{\n"
        + members.map { "\(inner)\(hcl(.string($0.name), 0)) = \(hcl($0.value, depth + 1))\n" }
        .joined() + end + "}"
    case .string:
      return tree.jsonText.replacing("${", with: "$${").replacing("%{", with: "%%{")
    default: return tree.jsonText
    }
  }
}
