import FoundationEssentials
package import Platform
import Synchronization

/// Our own sign-ins and their refresh tokens: in a file that only this user can read, or in the
/// keyring, and then the file holds no secret.
///
/// The file is `accounts.json` in the state directory; the account that signed in last stands first.
package final class AccountStore: Sendable {
  private struct Entry: Codable {
    var account: Account
    /// Nil where the keyring has it.
    var refreshToken: String?
  }

  private struct Content: Codable {
    var version: Int
    var entries: [Entry]
  }

  /// The tenant of a sign-in that names none: the person's own.
  package static let anyTenant = "organizations"

  private let path: String?
  private let owner: UInt32
  private let keyring: Keyring?
  private let warn: @Sendable (String) -> Void
  private let hasWarned = Mutex(false)

  package init(
    directory: String?, owner: UInt32, keyring: Keyring? = nil,
    warn: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    path = directory.map { $0 + "/accounts.json" }
    self.owner = owner
    self.keyring = keyring
    self.warn = warn
  }

  /// The accounts signed in to a cloud, the last one first.
  package func accounts(in cloud: Cloud) -> [Account] {
    entries().map(\.account).filter { $0.cloud == cloud.storeKey }
  }

  /// The accounts of all clouds.
  package var all: [Account] { entries().map(\.account) }

  /// Whether a sign-in is known whose secret lies in the keyring.
  package var usesKeyring: Bool { entries().contains { $0.refreshToken == nil } }

  /// Whether the account is signed in (still).
  func contains(_ account: Account) -> Bool {
    entries().contains { $0.account.isSame(as: account) }
  }

  /// - Returns: nil where the account is not signed in (any more).
  func refreshToken(of account: Account) async throws(Failure) -> SecretBytes? {
    if let keyring {
      return try await keyring.use { keyring throws(Failure) in
        try keyring.secret(of: account.item)
      }
    }
    let entry = entries().first { $0.account.isSame(as: account) }
    return entry?.refreshToken.map { SecretBytes(Array($0.utf8)) }
  }

  /// Keeps a new sign-in and puts it first.
  ///
  /// - Throws: `file-unwritable`, `token-store-unavailable`.
  func add(_ account: Account, refreshToken: SecretBytes) async throws(Failure) {
    guard path != nil else {
      throw Failure(
        .fileUnwritable, what: "the sign-in cannot be kept", why: "there is no home folder",
        next: "set HOME or XDG_STATE_HOME")
    }
    let secret = keyring == nil ? refreshToken.exposedText : nil
    try await change { [keyring] entries throws(Failure) in
      try keyring?.store(refreshToken, as: account.item)
      var account = account
      if let index = entries.firstIndex(where: { $0.account.isSame(as: account) }) {
        let known = entries.remove(at: index).account
        account.tenants += known.tenants.filter { !account.tenants.contains($0) }
      }
      entries.insert(Entry(account: account, refreshToken: secret), at: 0)
      return true
    }
  }

  /// Puts the next refresh token in the place of the one that was used.
  ///
  /// Unless the account has been signed out meanwhile, or another process has signed in anew or put
  /// a token of its own there: that one is the later.
  func renew(
    _ account: Account, replacing used: SecretBytes, with next: SecretBytes
  ) async {
    do {
      try await change { [keyring] entries throws(Failure) in
        guard let index = entries.firstIndex(where: { $0.account.isSame(as: account) }) else {
          return false
        }
        if let keyring {
          let kept = try keyring.secret(of: account.item)
          if kept?.exposedText == used.exposedText { try keyring.store(next, as: account.item) }
          return false
        }
        guard entries[index].refreshToken == used.exposedText else { return false }
        entries[index].refreshToken = next.exposedText
        return true
      }
    } catch {
      // The old one stays good.
      warnOnce("\(error.what): \(error.why ?? "")")
    }
  }

  /// Signs accounts out here; the server is told nothing, because it takes no word of it.
  ///
  /// - Throws: `file-unwritable`, `token-store-unavailable`, after all that can be removed is.
  package func remove(_ accounts: [Account]) async throws(Failure) {
    guard !accounts.isEmpty else { return }
    try await doBoth { () async throws(Failure) in
      try await change { entries in
        entries.removeAll { entry in accounts.contains { entry.account.isSame(as: $0) } }
        return true
      }
    } and: { () async throws(Failure) in
      try await keyring?.use { keyring throws(Failure) in
        for account in accounts { try keyring.remove(account.item) }
      }
    }
  }

  /// Signs everybody out: the file goes whatever is in it, and what the keyring has of sign-ins.
  ///
  /// - Throws: as ``remove(_:)``.
  package func removeAll() async throws(Failure) {
    try await doBoth { () async throws(Failure) in
      guard let path else { return }
      try await removing("the sign-ins", path) { try Files.removeWithRemains(path) }
    } and: { () async throws(Failure) in
      try await keyring?.use { keyring throws(Failure) in try keyring.removeAll(.account) }
    }
  }

  private func entries() -> [Entry] {
    guard let path else { return [] }
    switch try? Files.readPrivate(path, owner: owner) {
    case .bytes(var bytes):
      defer { overwrite(&bytes) }
      guard let content = try? JSONDecoder().decode(Content.self, from: Data(bytes)),
        content.version == 1
      else { return [] }
      return content.entries.filter { entry in
        // They become parts of a URL and of commands.
        !entry.account.tenants.isEmpty && entry.account.tenants.allSatisfy(TenantName.isValid)
      }
    case .refused(let reason):
      warnOnce("sign-ins in \(path) are not used and will be replaced: \(reason)")
      return []
    case .absent, nil:
      return []
    }
  }

  /// - Parameter body: says whether there is anything to write.
  private func change(
    _ body: @escaping @Sendable (inout [Entry]) throws(Failure) -> Bool
  ) async throws(Failure) {
    guard let path else { return }
    do {
      try await Blocking.run { [self] in
        try Files.withLock(on: path) {
          var entries = self.entries()
          guard try body(&entries) else { return }
          let encoder = JSONEncoder()
          encoder.outputFormatting = [.sortedKeys]
          var bytes = Array(try encoder.encode(Content(version: 1, entries: entries)))
          defer { overwrite(&bytes) }
          try Files.replace(path, with: bytes)
        }
      }
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(
        .fileUnwritable, what: "the sign-ins cannot be changed", why: "\(path): \(error)",
        next: "make the folder writable, or set XDG_STATE_HOME")
    }
  }

  private func warnOnce(_ message: String) {
    let isFirst = hasWarned.withLock { warned in
      defer { warned = true }
      return !warned
    }
    if isFirst { warn(printable(message, limit: 400)) }
  }
}

extension Account {
  fileprivate func isSame(as other: Account) -> Bool {
    id == other.id && cloud == other.cloud && clientID == other.clientID
  }

  fileprivate var item: Keyring.Item {
    Keyring.Item(kind: .account, name: sha256Hex(id, cloud, clientID))
  }
}
