package import FoundationEssentials
package import Platform
import Synchronization

/// Tokens kept until they expire: in memory, and in a file that only this user can read or in the
/// keyring.
///
/// The file is `tokens.json` in the state directory. Without a state directory there is only the
/// memory. A file that is not readable is an empty store; one that others may have read or written
/// is not used and is replaced. A keyring that cannot be used is a failure.
package final class TokenStore: Sendable {
  /// What a token is good for, and for whom.
  package struct Key: Hashable, Sendable, Codable {
    /// Both servers of the cloud.
    package var cloud: String
    package var tenant: String
    /// The credential's name and a digest of who it is and by what secret.
    package var credential: String
    package var scope: String

    package init(cloud: Cloud, tenant: String, credential: String, scope: String) {
      self.cloud = cloud.storeKey
      self.tenant = tenant
      self.credential = credential
      self.scope = scope
    }

    /// The same as one word.
    var digest: String { sha256Hex(cloud, tenant, credential, scope) }
  }

  struct Entry: Codable {
    var key: Key
    var secret: String
    var expiresOn: Int
    var storedAt: Int
    var tenant: String?
    var source: String
    var account: String?
  }

  private struct Content: Codable {
    var version: Int
    var entries: [Entry]
  }

  /// `tokens.json`; nil keeps tokens in memory only.
  package let path: String?
  private let keyring: Keyring?
  private let clock: WallClock
  private let owner: UInt32
  private let warn: @Sendable (String) -> Void
  private let memory = Mutex<[Key: AccessToken]>([:])
  private let hasWarned = Mutex(false)

  /// A token with less left is not given out.
  package static let margin: TimeInterval = 300

  /// - Parameter keyring: keeps the tokens in the place of the file; the folder still holds locks.
  package init(
    directory: String?, owner: UInt32, clock: WallClock = .system, keyring: Keyring? = nil,
    warn: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    path = directory.map { $0 + "/tokens.json" }
    self.owner = owner
    self.clock = clock
    self.keyring = keyring
    self.warn = warn
  }

  /// A stored token that lasts five more minutes.
  package func token(
    for key: Key, outlivesProcess: Bool = true
  ) async throws(Failure) -> AccessToken? {
    let now = clock.now()
    if let token = memory.withLock({ $0[key] }), isGood(token, now: now) { return token }
    guard outlivesProcess, let entry = try await entry(for: key) else { return nil }
    let token = AccessToken(
      secret: SecretBytes(Array(entry.secret.utf8)),
      expiresOn: Date(timeIntervalSince1970: TimeInterval(entry.expiresOn)),
      tenant: entry.tenant, source: entry.source, account: entry.account)
    // A token from the future was stored under a wrong clock: its end cannot be trusted.
    guard isGood(token, now: now), TokenAnswer.isToken(entry.secret),
      TimeInterval(entry.storedAt) <= now.timeIntervalSince1970 + Self.margin
    else { return nil }
    memory.withLock { $0[key] = token }
    return token
  }

  /// Keeps a token.
  ///
  /// A file that cannot be written is told once and is no failure: the token is good all the same.
  ///
  /// - Parameters:
  ///   - outlivesProcess: false keeps it in memory only.
  ///   - isWanted: asked under the lock; false where its owner has signed out meanwhile.
  package func keep(
    _ token: AccessToken, for key: Key, outlivesProcess: Bool = true,
    isWanted: @escaping @Sendable () -> Bool = { true }
  ) async throws(Failure) {
    memory.withLock { $0[key] = token }
    guard outlivesProcess else { return }
    let entry = Entry(
      key: key, secret: token.secret.exposedText, expiresOn: Self.epoch(token.expiresOn),
      storedAt: Self.epoch(clock.now()), tenant: token.tenant, source: token.source,
      account: token.account)
    if let keyring {
      guard var bytes = (try? JSONEncoder().encode(entry)).map(Array.init) else { return }
      let secret = SecretBytes(taking: &bytes)
      return try await keyring.use { [self] keyring throws(Failure) in
        try underLock(for: keyring) { () throws(Failure) in
          if isWanted() { try keyring.store(secret, as: key.item) }
        }
      }
    }
    await changeOrWarn { entries in
      guard isWanted() else { return false }
      entries.removeAll { $0.key == key }
      entries.append(entry)
      return true
    }
  }

  /// The keyring has no lock of its own; where the folder cannot give one either, there is none.
  private func underLock(
    for keyring: Keyring, _ body: () throws(Failure) -> Void
  ) throws(Failure) {
    var outcome: Result<Void, Failure>?
    func run() {
      do throws(Failure) { outcome = .success(try body()) } catch { outcome = .failure(error) }
    }
    if let path { try? Files.withLock(on: path) { run() } }
    if outcome == nil { run() }
    try outcome?.get()
  }

  /// Forgets one token, so that nobody is given it again.
  package func forget(_ key: Key) async throws(Failure) {
    memory.withLock { _ = $0.removeValue(forKey: key) }
    if let keyring {
      return try await keyring.use { keyring throws(Failure) in try keyring.remove(key.item) }
    }
    guard entries().contains(where: { $0.key == key }) else { return }
    await changeOrWarn { entries in
      entries.removeAll { $0.key == key }
      return true
    }
  }

  /// Forgets everything, in the file whatever is in it, and in the keyring where there is one.
  ///
  /// - Throws: `file-unwritable`, `token-store-unavailable`, after all that can be removed is.
  package func forgetAll() async throws(Failure) {
    memory.withLock { $0 = [:] }
    try await forgetOnDisk { path in try Files.removeWithRemains(path) }
  }

  /// Forgets all tokens of one of our own sign-ins; who signs out of it does that first.
  ///
  /// - Throws: as ``forgetAll()``.
  package func forgetAll(of account: Account) async throws(Failure) {
    let credential = account.storeName
    memory.withLock { memory in memory = memory.filter { $0.key.credential != credential } }
    try await forgetOnDisk { [self] path in
      guard Files.kind(of: path) != nil else { return }
      // A file that is no store is replaced by an empty one: whose it is cannot be told.
      try change { entries in
        entries.removeAll { $0.key.credential == credential }
        return true
      }
    }
  }

  private func forgetOnDisk(
    _ clean: @escaping @Sendable (String) throws -> Void
  ) async throws(Failure) {
    try await doBoth { () async throws(Failure) in
      guard let path else { return }
      try await removing("the stored tokens", path) { try clean(path) }
    } and: { () async throws(Failure) in
      // The keyring's items do not tell whose they are: better to forget too much.
      try await keyring?.use { keyring throws(Failure) in try keyring.removeAll(.token) }
    }
  }

  /// Runs `request` while no other process asks for the same token, and keeps what it gives.
  ///
  /// A token that another process stored meanwhile is given instead.
  ///
  /// - Parameters:
  ///   - isFresh: true where nothing stored may be given (a claims challenge).
  ///   - patience: how long another process is waited for; after that both ask.
  func refresh(
    _ key: Key, isFresh: Bool, patience: Duration = .seconds(30),
    sleep: @Sendable (Duration) async -> Void,
    outlivesProcess: Bool = true, isWanted: @escaping @Sendable () -> Bool = { true },
    request: () async throws(CredentialError) -> AccessToken
  ) async throws(CredentialError) -> AccessToken {
    let step = Duration.milliseconds(50)
    var waited = Duration.zero
    var lock: FileDescriptor? = nil
    while path != nil, outlivesProcess {
      // A folder that cannot be written has no lock to wait for.
      do { lock = try tryLock(key) } catch { break }
      if lock != nil || waited >= patience || Task.isCancelled { break }
      await sleep(step)
      waited += step
      // To look into a keyring is a program's run: only once, with the lock.
      if keyring == nil, !isFresh, let token = try await stored(key, outlivesProcess) {
        return token
      }
    }
    if !isFresh, let token = try await stored(key, outlivesProcess) { return token }
    let token = try await request()
    do {
      try await keep(token, for: key, outlivesProcess: outlivesProcess, isWanted: isWanted)
    } catch {
      throw .failed(error)
    }
    _ = consume lock
    return token
  }

  private func stored(
    _ key: Key, _ outlivesProcess: Bool
  ) async throws(CredentialError) -> AccessToken? {
    do {
      return try await token(for: key, outlivesProcess: outlivesProcess)
    } catch {
      throw .failed(error)
    }
  }

  private func tryLock(_ key: Key) throws(SystemError) -> FileDescriptor? {
    guard let path else { return nil }
    let folder = Files.parentDirectory(of: path)
    return try Files.tryLock("\(folder)/locks/token-\(key.digest.prefix(16)).lock")
  }

  private func isGood(_ token: AccessToken, now: Date) -> Bool {
    token.expiresOn.timeIntervalSince(now) >= Self.margin
  }

  private func entry(for key: Key) async throws(Failure) -> Entry? {
    guard let keyring else { return entries().first { $0.key == key } }
    let found = try await keyring.use { keyring throws(Failure) in
      try keyring.secret(of: key.item)
    }
    guard let secret = found else { return nil }
    let data = unsafe secret.withBytes { unsafe Data($0) }
    guard let entry = try? JSONDecoder().decode(Entry.self, from: data), entry.key == key else {
      return nil
    }
    return entry
  }

  private func entries() -> [Entry] {
    guard let path else { return [] }
    switch try? Files.readPrivate(path, owner: owner) {
    case .bytes(var bytes):
      defer { overwrite(&bytes) }
      guard let content = try? JSONDecoder().decode(Content.self, from: Data(bytes)),
        content.version == 1
      else { return [] }
      return content.entries
    case .refused(let reason):
      warnOnce("stored tokens in \(path) are not used and will be replaced: \(reason)")
      return []
    case .absent, nil:
      return []
    }
  }

  private func changeOrWarn(_ body: @escaping @Sendable (inout [Entry]) -> Bool) async {
    do {
      try await Blocking.run { [self] in try change(body) }
    } catch {
      warnOnce("tokens cannot be stored in \(path ?? ""): \(error)")
    }
  }

  /// - Parameter body: says whether there is anything to write.
  private func change(_ body: (inout [Entry]) -> Bool) throws {
    guard let path else { return }
    let now = clock.now()
    try Files.withLock(on: path) {
      var entries = self.entries().filter {
        TimeInterval($0.expiresOn) > now.timeIntervalSince1970
      }
      guard body(&entries) else { return }
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      var bytes = Array(try encoder.encode(Content(version: 1, entries: entries)))
      defer { overwrite(&bytes) }
      try Files.replace(path, with: bytes)
    }
  }

  /// Whole seconds; a date beyond reason is the epoch, so that its token counts as expired.
  private static func epoch(_ date: Date) -> Int {
    let seconds = date.timeIntervalSince1970
    return abs(seconds) < 1e11 ? Int(seconds) : 0
  }

  private func warnOnce(_ message: String) {
    let isFirst = hasWarned.withLock { warned in
      defer { warned = true }
      return !warned
    }
    if isFirst { warn(printable(message, limit: 400)) }
  }
}

extension TokenStore.Key {
  fileprivate var item: Keyring.Item { Keyring.Item(kind: .token, name: digest) }
}
