import Azure
import FoundationEssentials
import Identity
import Platform
import SSH
import SSHConfig
import Terminal

/// A login by an SSH certificate of Entra ID: for a key that lives in this process alone.
///
/// Contract: sign-in.md §6.
struct EntraLogin: Sendable {
  /// Who logs in: named, else the certificate's first principal.
  var user: String
  var signer: SigningIdentity

  /// Whether one is tried: ordered, or nobody named a user and the machine is made for it.
  static func isWanted(for machine: VirtualMachine, _ options: SSHOptions) -> Bool {
    switch options.jit.entra {
    case .no: false
    case .yes: true
    case .auto:
      options.user == nil && machine.hasEntraLogin == true && machine.operatingSystem == .linux
        && SSHLibrary.canUseRSA
    }
  }

  /// Why a machine cannot be logged in to this way; nil where it may.
  static func obstacle(
    _ machine: VirtualMachine, _ azure: AzureAccess, _ options: SSHOptions
  ) -> Failure? {
    if !SSHLibrary.canUseRSA {
      return Failure(
        .notBuiltIn, what: "logins by Entra ID need libssh2 1.11.1",
        why: "this one, \(SSHLibrary.version), cannot use certificates of RSA keys",
        next: "make setup brings it; or name a user of the VM: jitconnect USER@\(machine.name)")
    }
    if machine.operatingSystem == .windows {
      return Failure(
        .entraExtensionMissing, what: "\(machine.name) runs Windows",
        why: "SSH by Entra ID is for Linux machines",
        next: "jitconnect rdp \(machine.resourceGroup)/\(machine.name)")
    }
    if machine.hasEntraLogin == false {
      return Failure(
        .entraExtensionMissing,
        what: "\(machine.name) is not set up for logins by Entra ID",
        why: "the extension AADSSHLoginForLinux is not installed on it",
        next: "az vm extension set --publisher Microsoft.Azure.ActiveDirectory --name "
          + "AADSSHLoginForLinux --resource-group \(machine.resourceGroup) --vm-name \(machine.name)"
      )
    }
    if azure.cloud.sshCertificateScope == nil {
      return Failure(
        .entraCertificateRefused, what: "\(azure.cloud.name) gives no SSH certificates",
        next: "name a user of the VM: jitconnect USER@\(machine.name)")
    }
    return nil
  }

  /// Makes a key and has it certified.
  static func request(
    for machine: VirtualMachine, _ world: World, _ azure: AzureAccess, user: String?
  ) async throws(Failure) -> EntraLogin {
    guard let scope = azure.cloud.sshCertificateScope else {
      throw Failure(
        .entraCertificateRefused, what: "\(azure.cloud.name) gives no SSH certificates")
    }
    let key = try await outcomeOfBlocking { () throws(Failure) in try GeneratedKey() }.get()
    let tenant: String?
    if let known = machine.tenantID {
      tenant = known
    } else {
      tenant = try await azure.directory.tenantID(ofSubscription: machine.subscriptionID)
    }
    let token = try await azure.tokens.token(
      for: TokenRequest(
        scope: scope, tenant: tenant,
        sshKey: SSHCertificateKey(modulus: key.modulus, exponent: key.exponent)))
    // A certificate is no secret: without the key it opens nothing.
    guard let certificate = SSHCertificate(base64: token.secret.exposedText) else {
      throw refused("it is no certificate of an RSA key")
    }
    guard key.isCertified(by: certificate) else { throw refused("it is for another key") }
    let now = world.clock.now().timeIntervalSince1970
    guard now < Double(certificate.validBefore) else {
      throw refused("it has ended already; check this machine's clock")
    }
    guard now + clockSkew >= Double(certificate.validAfter) else {
      throw refused("it is not valid yet; check this machine's clock")
    }
    // Guests have another name here than in their token.
    // It becomes a part of commands, as a name that is typed does.
    guard let principal = certificate.principals.first?.lowercased(), SSHName.isValidUser(principal)
    else { throw refused("it names nobody who could log in") }
    world.debug("Entra ID certified a key for \(principal)")
    return EntraLogin(
      user: user ?? principal,
      signer: SigningIdentity(name: "certificate of Entra ID", blob: certificate.blob) {
        data, algorithm throws(Failure) in try key.sign(data, algorithm: algorithm)
      })
  }

  /// How far this machine's clock may be behind.
  private static let clockSkew: TimeInterval = 300

  private static func refused(_ why: String) -> Failure {
    Failure(
      .entraCertificateRefused, what: "the SSH certificate that Entra ID gave is not usable",
      why: why)
  }

  /// What a refused login most likely means.
  func explaining(_ failure: Failure, on machine: VirtualMachine) -> Failure {
    guard [.authenticationFailed, .connectionLost].contains(failure.code) else { return failure }
    return Failure(
      .entraLoginRefused, what: "\(machine.name) did not let \(user) in by Entra ID",
      why: "\(failure). Most often a role is missing on the VM, which Owner and Contributor do not "
        + "stand in for: Virtual Machine User Login, or Virtual Machine Administrator Login for "
        + "sudo; or the VM has no system-assigned identity",
      next: "az role assignment create --role \"Virtual Machine User Login\" --assignee \(user) "
        + "--scope \(machine.id.text)",
      cause: failure.cause)
  }
}

extension Connect {
  /// Asks for a certificate where one is wanted, beside whatever else goes on.
  ///
  /// - Returns: nil where none is wanted. The task gives nil where one would have been welcome and
  ///   was not given.
  func entraLogin(
    on machine: VirtualMachine, _ azure: AzureAccess
  ) throws(Failure) -> Task<Result<EntraLogin?, Failure>, Never>? {
    // OpenSSH's own client logs in itself; a desktop is signed in to by its own client.
    guard !isDesktop(machine), !commandLine.has(.stdio), options.jit.client == .libssh2,
      EntraLogin.isWanted(for: machine, options)
    else { return nil }
    let isOrdered = options.jit.entra == .yes
    if let obstacle = EntraLogin.obstacle(machine, azure, options) {
      guard isOrdered else { return nil }
      throw obstacle
    }
    return Task { [self] in
      await outcome { () async throws(Failure) -> EntraLogin? in
        do throws(Failure) {
          return try await EntraLogin.request(for: machine, world, azure, user: options.user)
        } catch {
          guard !isOrdered, error.code != .interrupted else { throw error }
          world.console.note("no login by Entra ID: \(error)")
          world.debug("no login by Entra ID: \(error)")
          return nil
        }
      }
    }
  }
}
