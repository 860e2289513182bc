import FoundationEssentials
import Platform

/// Who signs in, for messages: nothing in it is secret.
struct SignInSubject: Sendable {
  enum Kind: Sendable {
    /// A service principal: nobody can sign it in by hand.
    case application
    /// A person whose sign-in az keeps.
    case azureCLI
    /// A person whose sign-in azd keeps.
    case azureDeveloperCLI
    /// A person whose sign-in we keep.
    case ownLogin
  }

  var kind: Kind
  /// The credential's Azure SDK name.
  var credential: String
  /// A UPN, where known.
  var account: String?
  /// As it is sent.
  var clientID: String
  var tenant: String
  var scope: String
  /// A claims challenge that the sign-in has to meet.
  var claims: String?
  /// The cloud's name where a command has to name it.
  var cloud: String?

  /// `ada@example.com`, or the application.
  var name: String { account ?? "application \(shownClientID)" }

  /// The client id in a form that a terminal can be given.
  var shownClientID: String { printable(clientID, limit: 80) }

  /// The command that signs this subject in again; nil where none does.
  var signInCommand: String? {
    switch kind {
    case .application: nil
    case .azureCLI: Self.azureCLILogin(tenant: tenant, scope: scope, claims: claims)
    case .azureDeveloperCLI:
      "azd auth login" + (tenant == AccountStore.anyTenant ? "" : " --tenant-id \(tenant)")
    case .ownLogin: Self.ownLogin(tenant: tenant, cloud: cloud, claims: claims)
    }
  }

  /// The same, as short as it can be.
  var loginProgram: String {
    switch kind {
    case .azureCLI: "az login"
    case .azureDeveloperCLI: "azd auth login"
    case .application, .ownLogin: "jitconnect login"
    }
  }

  /// `jitconnect login …` with everything that the next attempt needs.
  static func ownLogin(tenant: String?, cloud: String?, claims: String?) -> String {
    var command = "jitconnect login"
    if let cloud { command += " --cloud \(cloud)" }
    if let tenant, tenant != AccountStore.anyTenant { command += " --tenant \(tenant)" }
    if let claims {
      command += " --claims-challenge \(Data(claims.utf8).base64EncodedString())"
    }
    return command
  }

  /// `az login …` with everything that the next attempt needs; the values are already known to
  /// hold no character that means something to a shell.
  static func azureCLILogin(tenant: String?, scope: String?, claims: String?) -> String {
    var command = "az login"
    if let tenant { command += " --tenant \(tenant)" }
    if let claims {
      if let scope { command += " --scope \(scope)" }
      command += " --claims-challenge \(Data(claims.utf8).base64EncodedString())"
    }
    return command
  }
}
