import FoundationEssentials
import HTTP
import Platform

@testable import Identity

/// What the login server answers to a person.
func personAnswer(
  _ token: String, refresh: String? = "rt-1", tenant: String = tenantA, nonce: String? = nil,
  audience: String = AzureCLITokenCache.clientID, name: String = "ada@example.com"
) -> String {
  let nonceMember = nonce.map { #","nonce":"\#($0)""# } ?? ""
  let payload =
    #"{"aud":"\#(audience)","tid":"\#(tenant)","oid":"oid-1","preferred_username":"\#(name)""#
    + nonceMember + "}"
  let info = base64URL(Array(#"{"uid":"oid-1","utid":"\#(tenantA)"}"#.utf8))
  let refreshMember = refresh.map { #""refresh_token":"\#($0)","# } ?? ""
  return #"{"token_type":"Bearer","expires_in":3599,"access_token":"\#(token)",\#(refreshMember)"#
    + #""id_token":"e30.\#(base64URL(Array(payload.utf8))).c2ln","client_info":"\#(info)"}"#
}

/// Our own sign-ins in a scratch folder.
struct LoginFixture {
  let state: ScratchFolder
  var chain: ChainFixture
  let accounts: AccountStore

  init(
    _ variables: [String: String] = [:], state: ScratchFolder? = nil, keyring: Keyring? = nil
  ) throws {
    let folder = try state ?? ScratchFolder()
    self.state = folder
    chain = ChainFixture(variables, state: folder.path)
    accounts = AccountStore(directory: folder.path, owner: testUserID, keyring: keyring)
    chain.context.accounts = accounts
  }

  var signIn: InteractiveSignIn {
    InteractiveSignIn(context: chain.context, accounts: accounts, tokens: chain.store)
  }

  func account(
    _ id: String = "oid-1", name: String = "ada@example.com", tenants: [String] = [tenantA],
    cloud: Cloud = .azureCloud
  ) -> Account {
    Account(
      id: "\(id).\(tenantA)", username: name, cloud: cloud.storeKey,
      clientID: AzureCLITokenCache.clientID, tenants: tenants)
  }

  func add(_ account: Account, refresh: String = "rt-0") async throws {
    try await accounts.add(account, refreshToken: SecretBytes(Array(refresh.utf8)))
  }
}
