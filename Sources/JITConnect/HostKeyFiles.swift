import Azure
import Platform
import SSH
import SSHConfig

/// Which known_hosts files count and under which name a machine stands in them.
///
/// An address moves to other machines, so an Azure VM is pinned by its vmId: another VM that gets
/// the address is no changed key, and a VM that is re-created under its name is a new host.
struct HostKeyFiles {
  struct Trust {
    var rule: HostTrust
    var known: KnownHosts
  }

  private let options: SSHOptions
  private let machine: VirtualMachine?
  private let ownFile: String?

  init(_ environment: Environment, _ options: SSHOptions, _ machine: VirtualMachine?) {
    self.options = options
    self.machine = machine
    ownFile = Self.ownFile(environment)
  }

  /// Where machines are pinned, unless the user named a file.
  static func ownFile(_ environment: Environment) -> String? {
    environment.stateDirectory.map { $0 + "/known_hosts" }
  }

  /// The name under which a machine is pinned.
  static func alias(vmID: String) -> String { "azure." + vmID }

  /// `azure.<vmId>`, unless the user named an alias; nil for a host that is no Azure VM.
  var alias: String? {
    if let named = options.hostKeyAlias { return named }
    guard let machine else { return nil }
    return Self.alias(vmID: machine.vmID ?? machine.id.key)
  }

  /// Whether the user, and not a default, says where keys are kept.
  private var isUsersFile: Bool { options.userKnownHostsFilesOrigin != nil }

  var writtenFile: String? {
    if machine == nil || isUsersFile { return options.userKnownHostsFiles.first }
    return ownFile
  }

  /// Whether the machine has a pinned key, so that it may be connected to before Azure is asked.
  var hasPin: Bool {
    guard let alias, machine?.vmID != nil || options.hostKeyAlias != nil else { return false }
    return known().hasPin(for: [alias])
  }

  /// - Parameter address: nil where a proxy hides it.
  func trust(address: InternetAddress?, port: Int, canAsk: Bool) -> Trust {
    let checking: HostTrust.Checking =
      switch options.strictHostKeyChecking {
      case .yes: .yes
      case .no: .off
      case .ask: .ask
      case .acceptNew: .acceptNew
      }
    var rule = HostTrust(
      host: machine == nil ? options.connectHost : options.hostName ?? options.originalHost,
      address: address?.host,
      port: port, alias: alias, checking: checking, file: writtenFile,
      hashesNames: options.hashKnownHosts, canAsk: canAsk)
    rule.showsPicture = options.visualHostKey
    rule.revokedKeysFile = options.revokedHostKeys
    rule.fingerprintHash = FingerprintHash(options)
    rule.requiredRSASize = options.requiredRSASize
    rule.trustsLoopback = options.noHostAuthenticationForLocalhost
    return Trust(rule: rule, known: known())
  }

  /// The pins of the file they are kept in; `@revoked` lines of every file count.
  private func known() -> KnownHosts {
    let everywhere = KnownHosts(
      files: options.userKnownHostsFiles + options.globalKnownHostsFiles)
    guard machine != nil, !isUsersFile else { return everywhere }
    let own = KnownHosts(files: [ownFile].compactMap(\.self))
    return KnownHosts(
      lines: own.lines + everywhere.lines.filter { $0.marker == .revoked })
  }
}

extension FingerprintHash {
  init(_ options: SSHOptions) { self = Self(rawValue: options.fingerprintHash) ?? .sha256 }
}
