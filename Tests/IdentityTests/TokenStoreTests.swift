import FoundationEssentials
import HTTP
import Platform
import Synchronization
import Testing

@testable import Identity

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct TokenStoreTests {
  private func token(_ text: String, lasting seconds: Double = 3600) -> AccessToken {
    AccessToken(
      secret: SecretBytes(Array(text.utf8)), expiresOn: testNow.addingTimeInterval(seconds),
      tenant: tenantA, source: "EnvironmentCredential", account: "app")
  }

  private func key(
    cloud: Cloud = .azureCloud, tenant: String = tenantA, credential: String = "c",
    scope: String = "s"
  ) -> TokenStore.Key {
    TokenStore.Key(cloud: cloud, tenant: tenant, credential: credential, scope: scope)
  }

  private func store(_ folder: ScratchFolder?, warnings: Warnings = Warnings()) -> TokenStore {
    TokenStore(
      directory: folder.map { $0.path + "/state" }, owner: testUserID, clock: testClock,
      warn: { warnings.add($0) })
  }

  @Test("a token is found by the next process, with all that is known of it")
  func kept() async throws {
    let folder = try ScratchFolder()
    try await store(folder).keep(token("abc"), for: key())
    let found = try await store(folder).token(for: key())
    #expect(found?.secret.exposedText == "abc")
    #expect(found?.expiresOn == testNow.addingTimeInterval(3600))
    #expect(found?.tenant == tenantA)
    #expect(found?.source == "EnvironmentCredential")
    #expect(found?.account == "app")
  }

  @Test("a token never serves another cloud, tenant, credential or scope")
  func keyed() async throws {
    let folder = try ScratchFolder()
    try await store(folder).keep(token("abc"), for: key())
    var other = Cloud.azureCloud
    other.resourceManager = "https://127.0.0.1:9"
    var otherLogin = Cloud.azureCloud
    otherLogin.loginEndpoint = "https://login.example"
    for key in [
      key(cloud: other), key(cloud: otherLogin), key(tenant: tenantB), key(credential: "d"),
      key(scope: "t"),
    ] {
      #expect(try await store(folder).token(for: key) == nil)
    }
  }

  @Test("the file is 0600 in a 0700 folder from the start, whatever the umask")
  func permissions() async throws {
    let folder = try ScratchFolder()
    let before = umask(0)
    try await store(folder).keep(token("abc"), for: key())
    umask(before)
    let file = Files.kind(of: folder.path + "/state/tokens.json")
    #expect(file?.mode == 0o600)
    #expect(Files.kind(of: folder.path + "/state")?.mode == 0o700)
    #expect(Files.kind(of: folder.path + "/state/tokens.json.lock")?.mode == 0o600)
  }

  @Test(
    "a token with less than five minutes is not given out", arguments: [(299, false), (300, true)])
  func margin(seconds: Int, isGiven: Bool) async throws {
    let folder = try ScratchFolder()
    try await store(folder).keep(token("abc", lasting: Double(seconds)), for: key())
    #expect((try await store(folder).token(for: key()) != nil) == isGiven)
  }

  @Test(
    "a file that others may read or write is not used, told, and replaced",
    arguments: [0o640, 0o604, 0o620] as [UInt32])
  func openFile(mode: UInt32) async throws {
    let folder = try ScratchFolder()
    try await store(folder).keep(token("abc"), for: key())
    let path = folder.path + "/state/tokens.json"
    try Files.replace(path, with: try Files.read(path), mode: mode)
    let warnings = Warnings()
    let second = store(folder, warnings: warnings)
    #expect(try await second.token(for: key()) == nil)
    #expect(try await second.token(for: key()) == nil)
    #expect(warnings.all.count == 1)
    try await second.keep(token("new"), for: key())
    #expect(Files.kind(of: path)?.mode == 0o600)
    #expect(try await store(folder).token(for: key())?.secret.exposedText == "new")
  }

  @Test("a link in the file's place is not followed, and is replaced")
  func link() async throws {
    let folder = try ScratchFolder()
    let target = try folder.write("elsewhere", #"{"version":1,"entries":[]}"#)
    try Files.makeDirectory(folder.path + "/state")
    let path = folder.path + "/state/tokens.json"
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
    let warnings = Warnings()
    try await store(folder, warnings: warnings).keep(token("abc"), for: key())
    #expect(warnings.all.count == 1)
    #expect(Files.kind(of: path)?.isRegular == true)
    #expect(String(decoding: try Files.read(target), as: UTF8.self).contains("abc") == false)
  }

  @Test(
    "a file that is not readable as a store is an empty store",
    arguments: [
      "", "{", "[]", #"{"version":2,"entries":[]}"#, #"{"version":1,"entries":[{}]}"#, "\0",
    ])
  func corrupt(content: String) async throws {
    let folder = try ScratchFolder()
    try folder.write("state/tokens.json", content)
    #expect(try await store(folder).token(for: key()) == nil)
    try await store(folder).keep(token("abc"), for: key())
    #expect(try await store(folder).token(for: key())?.secret.exposedText == "abc")
  }

  @Test("without a state folder tokens live in memory only")
  func memoryOnly() async throws {
    let store = store(nil)
    try await store.keep(token("abc"), for: key())
    #expect(try await store.token(for: key())?.secret.exposedText == "abc")
    try await store.forget(key())
    #expect(try await store.token(for: key()) == nil)
  }

  @Test("a folder that cannot be written is told once and is no failure")
  func unwritable() async throws {
    let folder = try ScratchFolder()
    try folder.write("state", "a file where the folder should be")
    let warnings = Warnings()
    let store = store(folder, warnings: warnings)
    try await store.keep(token("abc"), for: key())
    try await store.keep(token("abc"), for: key(scope: "t"))
    #expect(warnings.all.count == 1)
    #expect(try await store.token(for: key())?.secret.exposedText == "abc")
  }

  @Test("where no lock can be made, nothing is waited for")
  func noLock() async throws {
    let folder = try ScratchFolder()
    try folder.write("state", "a file where the folder should be")
    let sleeps = Counter()
    let made = token("made")
    let token = try await store(folder).refresh(
      key(), isFresh: false, sleep: { _ in sleeps.add() }
    ) { () async throws(CredentialError) -> AccessToken in made }
    #expect(token.secret.exposedText == "made")
    #expect(sleeps.count == 0)
  }

  @Test("two stores that ask for the same token at once make one request")
  func oneRefresh() async throws {
    let folder = try ScratchFolder()
    let calls = Counter()
    let gate = Gate()
    let first = store(folder)
    let second = store(folder)
    let key = key()
    let made = token("made")
    async let one = first.refresh(key, isFresh: false, sleep: { _ in await Task.yield() }) {
      () async throws(CredentialError) -> AccessToken in
      calls.add()
      await gate.wait()
      return made
    }
    await calls.reached(1)
    async let two = second.refresh(
      key, isFresh: false,
      sleep: { _ in
        await gate.open(); try? await Task.sleep(for: .milliseconds(1))
      }
    ) { () async throws(CredentialError) -> AccessToken in
      calls.add()
      return made
    }
    _ = try await (one, two)
    #expect(calls.count == 1)
  }
}

extension TokenStoreTests {
  @Test("of twenty stores on one file one asks and all get its token")
  func twenty() async throws {
    let folder = try ScratchFolder()
    let calls = Counter()
    let key = TokenStore.Key(cloud: .azureCloud, tenant: tenantA, credential: "c", scope: "s")
    let texts = try await withThrowingTaskGroup(of: String.self) { group in
      for number in 0..<20 {
        group.addTask {
          let store = TokenStore(directory: folder.path, owner: testUserID, clock: testClock)
          let token = try await store.refresh(
            key, isFresh: false, sleep: { _ in try? await Task.sleep(for: .milliseconds(1)) }
          ) { () async throws(CredentialError) -> AccessToken in
            calls.add()
            for _ in 0..<50 { await Task.yield() }
            return AccessToken(
              secret: SecretBytes(Array("from-\(number)".utf8)),
              expiresOn: testNow.addingTimeInterval(3600), source: "x")
          }
          return token.secret.exposedText
        }
      }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(calls.count == 1)
    #expect(texts.count == 1)
  }
}

/// Counts, and lets a test wait for a count.
final class Counter: Sendable {
  private let value = Mutex(0)
  var count: Int { value.withLock { $0 } }
  func add() { value.withLock { $0 += 1 } }
  func reached(_ count: Int) async { while self.count < count { await Task.yield() } }
}

/// Holds whoever waits until it is opened.
actor Gate {
  private var isOpen = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func wait() async {
    if isOpen { return }
    await withCheckedContinuation { waiting.append($0) }
  }

  func open() {
    isOpen = true
    for continuation in waiting { continuation.resume() }
    waiting = []
  }
}
