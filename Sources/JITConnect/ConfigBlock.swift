package import Azure
package import Platform
import SSHConfig

/// A block of ssh_config that makes plain `ssh NAME.jit`, and whatever runs ssh, go through us.
package struct ConfigBlock: Sendable {
  private let machine: VirtualMachine
  private let host: String
  private let program: String
  private let knownHosts: String?

  /// - Parameters:
  ///   - host: the name to type.
  ///   - program: this program's path.
  package init(
    _ machine: VirtualMachine, host: String, program: String, environment: Environment
  ) {
    self.machine = machine
    self.host = host
    self.program = program
    knownHosts = HostKeyFiles.ownFile(environment)
  }

  package var text: String {
    // The id and not the name: what is found by a name may be several some day.
    var lines = [
      "Host \(host)",
      "  ProxyCommand \(Self.shellWord(program)) --stdio \(Self.shellWord(machine.id.text)) %p",
    ]
    if let vmID = machine.vmID {
      // The pin that jitconnect itself uses.
      lines.append("  HostKeyAlias \(HostKeyFiles.alias(vmID: vmID))")
      if let knownHosts { lines.append("  UserKnownHostsFile \"\(Self.escaped(knownHosts))\"") }
    }
    // A name with a blank or a quote in it would be read as something else; it is left to `-l`.
    if let user = machine.adminUsername, !user.isEmpty, SSHName.isValidUser(user),
      Self.asWritten(user) == user
    {
      lines.append("  User \(user)")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The names to type: unique in letter case too, with the group where machines share a name.
  package static func hosts(_ machines: [VirtualMachine], suffix: String) -> [String] {
    var count: [String: Int] = [:]
    for machine in machines { count[machine.name.lowercased(), default: 0] += 1 }
    var taken: Set<String> = []
    return machines.map { machine in
      var name = machine.name.lowercased()
      if count[name, default: 0] > 1 { name += ".\(machine.resourceGroup.lowercased())" }
      if !taken.insert(name).inserted {
        name += ".\(machine.subscriptionID.lowercased().prefix(8))"
        taken.insert(name)
      }
      return asWritten(name) + suffix
    }
  }

  /// A name as it may stand in a line of ssh_config: letters, digits and what Azure allows beside
  /// them; a pattern or a second word would speak of other hosts.
  private static func asWritten(_ name: String) -> String {
    String(name.map { $0.isLetter || $0.isNumber || "._-()".contains($0) ? $0 : "_" })
  }

  /// A word for the shell that runs ProxyCommand; `%` begins a token of ssh's.
  private static func shellWord(_ text: String) -> String {
    let plain = text.utf8.allSatisfy { byte in
      Unicode.Scalar(byte).properties.isAlphabetic && byte < 0x80
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "/._-".utf8.contains(byte)
    }
    let text = text.replacing("%", with: "%%")
    return plain ? text : "'\(text.replacing("'", with: "'\\''"))'"
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("%", with: "%%").replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
  }
}
