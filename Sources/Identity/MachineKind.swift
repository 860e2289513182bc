import Platform

/// Whether this machine has an identity of its own to ask for: told by files alone, in microseconds.
package enum MachineKind: Sendable {
  case azure
  /// Managed by Azure Arc.
  case arc
  case other

  package static func detect() -> MachineKind {
    if Files.kind(of: Assumptions.arcAgent, followingLinks: true)?.isRegular == true {
      return .arc
    }
    let tag = try? Files.read("/sys/class/dmi/id/chassis_asset_tag", limit: 256)
    let text = String(decoding: tag ?? [], as: UTF8.self).trimmingASCIISpace
    return text == Assumptions.azureChassisTag ? .azure : .other
  }
}
