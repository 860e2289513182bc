/// A refusal of the login server, told in plain words.
///
/// Source: the table of error codes of the Microsoft identity platform, and what each one means to
/// somebody who wants to reach a VM. Codes word a message; what is done follows from `error`.
struct SignInCode: Sendable {
  /// Whose move it is.
  enum Remedy: Sendable {
    /// The person signs in again, in the tenant that is named.
    case signIn
    /// A command or an action of its own; `{…}` as in `words`.
    case step(String)
    /// The same where the application's own credential is at fault; az keeps that one itself.
    case credential(String)
    /// The service is in trouble: later.
    case wait
  }

  var codes: [Int]
  /// `{tenant}`, `{app}`, `{account}` and `{login}` are filled in.
  var words: String
  var remedy: Remedy

  /// The entry of a code; nil for one that is not known.
  static func entry(for code: Int) -> SignInCode? { table.first { $0.codes.contains(code) } }

  private init(_ codes: [Int], _ words: String, _ remedy: Remedy) {
    self.codes = codes
    self.words = words
    self.remedy = remedy
  }

  static let table: [SignInCode] = [
    // The person's sign-in is too old, too weak, or gone
    Self([50076, 50074, 50078], "tenant {tenant} wants a multi-factor sign-in", .signIn),
    Self(
      [50079, 50072, 53004],
      "a second sign-in factor must be registered first, at https://aka.ms/mfasetup", .signIn),
    Self([50173, 50132, 50133], "the sign-in was revoked or the password changed", .signIn),
    Self(
      [70043], "the sign-in is older than the organisation's sign-in frequency allows", .signIn),
    Self([700082, 70008], "the sign-in was not used for too long and has expired", .signIn),
    Self(
      [700084], "the saved sign-in belongs to a browser application and lasts one day", .signIn),
    Self([50058], "nobody is signed in", .signIn),
    Self([65004], "the request for consent was declined", .signIn),
    Self(
      [54005, 70000, 501481], "the sign-in code was already used or does not fit this sign-in",
      .signIn),
    Self([70016], "the sign-in has not been completed yet", .signIn),
    Self([70018, 70019], "the device code is wrong or has expired", .signIn),
    Self(
      [50126], "the user name or the password is wrong", .signIn),

    // An administrator's move
    Self(
      [65001, 90094, 90095, 90008], "the application {app} is not approved in tenant {tenant}",
      .step("ask an administrator of tenant {tenant} to grant consent to application {app}")),
    Self(
      [65002, 650057], "the application {app} may not ask for this resource",
      .step("sign in with a client id that is allowed to use Azure Resource Manager")),
    Self(
      [50105], "{account} is not assigned to the application {app}",
      .step("ask an administrator of tenant {tenant} to assign {account} to application {app}")),
    Self(
      [53003, 53011, 530032, 50131], "a Conditional Access policy blocks this sign-in",
      .step(
        "give the correlation id to an administrator of tenant {tenant}; "
          + "a sign-in in the browser may be allowed where a device code is not")),
    Self(
      [53000, 53001, 50097, 50005, 50129],
      "a managed or compliant device is demanded, which a device code and Linux cannot prove",
      .step("az login on a managed Windows or macOS machine, or ask for an exception")),
    Self(
      [530084], "a token protection policy accepts only a sign-in through the system's broker",
      .step("az login on a machine where az signs in through the broker")),
    Self(
      [530036], "a policy forbids signing in with a device code",
      .step("sign in with the browser: {login}")),
    Self(
      [500021, 500212, 500213], "a restriction between tenants forbids access to {tenant}",
      .step("ask the administrators of both tenants about cross-tenant access")),
    Self(
      [50053], "the account {account} is locked",
      .step("wait some minutes, or ask an administrator to unlock {account}")),
    Self(
      [50055], "the password of {account} has expired",
      .step("change the password at https://mysignins.microsoft.com, then {login}")),
    Self(
      [50057], "the account {account} is disabled",
      .step("ask an administrator of tenant {tenant} to enable {account}")),

    // The wrong tenant or cloud
    Self(
      [50020, 50034, 51004, 90072, 16000, 50014],
      "{account} is not in tenant {tenant}: the wrong tenant, or not invited as a guest",
      .step(
        "name the tenant of the subscription, or have {account} invited: "
          + "{login} --tenant TENANT")),
    Self(
      [500011, 650052], "the resource is not known in tenant {tenant}",
      .step("check the tenant and the cloud; the service may have to be enabled in the tenant")),
    Self(
      [90002, 900023], "there is no tenant {tenant} in this cloud",
      .step("check AZURE_TENANT_ID, and AZURE_AUTHORITY_HOST or --cloud")),
    Self(
      [90038, 900382, 900432], "{account} lives in another national cloud",
      .step("choose the account's cloud with --cloud, for instance --cloud AzureUSGovernment")),
    Self(
      [50194, 90130, 9001023], "the application {app} accepts only its own tenant",
      .step("name the application's tenant: AZURE_TENANT_ID or {login} --tenant TENANT")),

    // Applications and their credentials
    Self(
      [7000215],
      "the client secret of application {app} is wrong (the secret's value is needed, "
        + "not its id)",
      .credential("set AZURE_CLIENT_SECRET to a valid secret of application {app}")),
    Self(
      [7000222], "the client secret of application {app} has expired",
      .credential("az ad app credential reset --id {app} --append, then set AZURE_CLIENT_SECRET")),
    Self(
      [7000218], "the application {app} is not registered as a public client",
      .step("switch on \"Allow public client flows\" of application {app}")),
    Self(
      [700025], "the application {app} is a public client and must not send a secret",
      .credential("unset AZURE_CLIENT_SECRET, or use an application with a secret")),
    Self(
      [700016, 7000112, 70001], "the application {app} is unknown or disabled in tenant {tenant}",
      .credential("check AZURE_CLIENT_ID and AZURE_TENANT_ID")),
    Self(
      [700027, 50012, 700030],
      "the certificate is not registered with application {app}, its signature is wrong, or the "
        + "clock is",
      .credential("compare the certificate's thumbprint with those of application {app}")),
    Self(
      [700024], "the signed assertion is outside its time range",
      .step("set this machine's clock")),
    Self(
      [70021, 700211, 700212, 700213],
      "no federated credential of application {app} matches the token's issuer, subject and "
        + "audience",
      .credential("az ad app federated-credential list --id {app}")),
    Self(
      [700229], "only application tokens can be federated",
      .step("use a workload's own token in AZURE_FEDERATED_TOKEN_FILE")),
    Self(
      [50011], "the redirect address is not registered with application {app}",
      .step("register http://localhost as a redirect address of application {app}")),

    // The request itself
    Self(
      [700005], "the sign-in code was redeemed in another tenant than it was asked in", .signIn),
    Self(
      [50196], "the login server sees the same request too often",
      .step("wait some minutes before the next attempt")),
    Self(
      [50001, 70011, 28002, 700022], "the login server does not know the resource asked for",
      .step("check the cloud: --cloud, ARM_CLOUD_METADATA_URL, az cloud show")),

    // The service
    Self([90033, 90006, 90024, 50033, 90012], "the login service has a passing trouble", .wait),
  ]
}
