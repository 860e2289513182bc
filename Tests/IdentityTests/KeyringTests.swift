import FoundationEssentials
import Platform
import Testing

@testable import Identity

/// The keyring, with a small program in secret-tool's place that keeps its items in files.
@Suite struct KeyringTests {
  /// It takes and gives secrets as secret-tool does, and writes down how it was called.
  private static let program = #"""
    #!/bin/sh
    here=$(dirname "$0")
    echo "$@" >> "$here/calls"
    verb=$1
    shift
    case "$1" in --label=*) shift ;; esac
    item="$here/item-$(printf '%s' "$*" | tr -c 'a-z0-9' '-')"
    case "$verb" in
      store) cat > "$item" ;;
      lookup) if [ -e "$item" ]; then cat "$item"; else exit 1; fi ;;
      clear) rm -f "$item"* ;;
    esac
    """#

  private func folder(_ program: String = program) throws -> ScratchFolder {
    let folder = try ScratchFolder()
    try folder.write("secret-tool", program, mode: 0o755)
    return folder
  }

  private func keyring(
    _ folder: ScratchFolder, timeout: Duration = .seconds(10)
  ) throws(Failure) -> Keyring {
    try Keyring(
      Environment(
        variables: ["PATH": folder.path + ":/usr/bin:/bin", "AZURE_CLIENT_SECRET": "leak"],
        home: nil), timeout: timeout)
  }

  private let key = TokenStore.Key(
    cloud: .azureCloud, tenant: tenantA, credential: "c", scope: "s")

  private func token(_ text: String) -> AccessToken {
    AccessToken(
      secret: SecretBytes(Array(text.utf8)), expiresOn: testNow.addingTimeInterval(3600),
      tenant: tenantA, source: "x", account: "ada")
  }

  @Test("a token is kept in the keyring alone, by standard input, and found by the next process")
  func kept() async throws {
    let folder = try folder()
    let state = try ScratchFolder()
    func store() throws -> TokenStore {
      TokenStore(
        directory: state.path, owner: testUserID, clock: testClock, keyring: try keyring(folder))
    }
    try await store().keep(token("secret-token"), for: key)
    let found = try await store().token(for: key)
    #expect(found?.secret.exposedText == "secret-token")
    #expect(found?.account == "ada")
    #expect(Files.kind(of: state.path + "/tokens.json") == nil)
    let calls = String(decoding: try Files.read(folder.path + "/calls"), as: UTF8.self)
    #expect(calls.contains("store --label="))
    #expect(!calls.contains("secret-token"))
    var other = key
    other.scope = "t"
    #expect(try await store().token(for: other) == nil)
    try await store().forgetAll()
    #expect(try await store().token(for: key) == nil)
  }

  @Test("a sign-in is kept with its secret in the keyring and none in the file")
  func account() async throws {
    let folder = try folder()
    let fixture = try LoginFixture(keyring: try keyring(folder))
    try await fixture.add(fixture.account(), refresh: "rt-secret")
    let text = String(
      decoding: try Files.read(fixture.state.path + "/accounts.json"), as: UTF8.self)
    #expect(text.contains("ada@example.com"))
    #expect(!text.contains("rt-secret"))
    let kept = try await fixture.accounts.refreshToken(of: fixture.account())
    #expect(kept?.exposedText == "rt-secret")
    try await fixture.accounts.remove([fixture.account()])
    #expect(try await fixture.accounts.refreshToken(of: fixture.account()) == nil)
    // The other store does not have it, and says so.
    try await fixture.add(fixture.account())
    let plain = try LoginFixture(state: fixture.state)
    let failure = await failure { _ = try await plain.chain.chain().token(for: .arm) }
    #expect(failure?.code == .signInNeeded)
    #expect(failure?.why?.contains("JitTokenStore") == true)
  }

  @Test("signing out empties the keyring and the files beside it")
  func signedOut() async throws {
    let folder = try folder()
    let fixture = try LoginFixture(keyring: try keyring(folder))
    let tokens = TokenStore(
      directory: fixture.state.path, owner: testUserID, clock: testClock,
      keyring: try keyring(folder))
    func items() throws -> [String] {
      try Files.names(in: folder.path).filter { $0.hasPrefix("item-") }
    }
    for isWhole in [true, false] {
      try await fixture.add(fixture.account())
      try await tokens.keep(token("a"), for: key)
      // Of a time when the file was the store.
      try await fixture.chain.store.keep(
        token("b"),
        for: TokenStore.Key(
          cloud: .azureCloud, tenant: tenantA, credential: fixture.account().storeName, scope: "s"))
      #expect(try items().count == 2)
      if isWhole {
        // An item whose account the file no longer knows.
        try Files.remove(fixture.state.path + "/accounts.json")
        try await fixture.accounts.removeAll()
        try await tokens.forgetAll()
        #expect(Files.kind(of: fixture.state.path + "/tokens.json") == nil)
      } else {
        try await fixture.accounts.remove([fixture.account()])
        try await tokens.forgetAll(of: fixture.account())
        let text = String(
          decoding: try Files.read(fixture.state.path + "/tokens.json"), as: UTF8.self)
        #expect(text == #"{"entries":[],"version":1}"#)
      }
      #expect(try items() == [])
    }
  }

  @Test("in the keyring too a refresh replaces only the token that it used")
  func renewed() async throws {
    let folder = try folder()
    defer { withExtendedLifetime(folder) {} }
    let fixture = try LoginFixture(keyring: try keyring(folder))
    try await fixture.add(fixture.account(), refresh: "rt-new")
    for (used, kept) in [("rt-0", "rt-new"), ("rt-new", "rt-9")] {
      await fixture.accounts.renew(
        fixture.account(), replacing: SecretBytes(Array(used.utf8)),
        with: SecretBytes(Array("rt-9".utf8)))
      #expect(
        try await fixture.accounts.refreshToken(of: fixture.account())?.exposedText == kept)
    }
  }

  @Test("who waits for another process's token looks into the keyring once")
  func looksOnce() async throws {
    let folder = try folder()
    let state = try ScratchFolder()
    let gate = Gate()
    let asking = Counter()
    let sleeps = Counter()
    func store() throws -> TokenStore {
      TokenStore(
        directory: state.path, owner: testUserID, clock: testClock, keyring: try keyring(folder))
    }
    let (first, second, key, made) = (try store(), try store(), key, token("made"))
    async let one = first.refresh(key, isFresh: true, sleep: { _ in }) {
      () async throws(CredentialError) -> AccessToken in
      asking.add()
      await gate.wait()
      return made
    }
    await asking.reached(1)
    async let two = second.refresh(
      key, isFresh: false,
      sleep: { _ in
        sleeps.add()
        if sleeps.count == 5 { await gate.open() }
        await Task.yield()
      }
    ) { () async throws(CredentialError) -> AccessToken in
      asking.add()
      return made
    }
    _ = try await (one, two)
    #expect(asking.count == 1)
    let calls = String(decoding: try Files.read(folder.path + "/calls"), as: UTF8.self)
    #expect(calls.split(separator: "\n").count { $0.hasPrefix("lookup") } == 1)
  }

  @Test(
    "a keyring that is locked, broken or slow is an error, never an empty store",
    arguments: [
      ("#!/bin/sh\nexec sleep 30\n", "locked"),
      ("#!/bin/sh\necho 'secret-tool: Cannot autolaunch D-Bus' >&2\nexit 1\n", "D-Bus"),
      ("#!/bin/sh\nkill -9 $$\n", "failed"), ("#!/bin/sh\nexit 3\n", "failed"),
    ])
  func broken(program: String, words: String) async throws {
    let folder = try folder(program)
    let keyring = try keyring(folder, timeout: .milliseconds(300))
    let store = TokenStore(
      directory: nil, owner: testUserID, clock: testClock, keyring: keyring)
    let read = await failure { _ = try await store.token(for: key) }
    #expect(read?.code == .tokenStoreUnavailable)
    #expect(read?.why?.contains(words) == true)
    let write = await failure { try await store.keep(token("abc"), for: key) }
    #expect(write?.code == .tokenStoreUnavailable)
  }

  @Test("without secret-tool there is no keyring; its time is one second")
  func absent() throws {
    #expect(throws: Failure.self) {
      try Keyring(Environment(variables: ["PATH": "/nowhere"], home: nil))
    }
  }
}
