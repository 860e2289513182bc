import FoundationEssentials
package import Platform

/// The folder in which az keeps its settings and its login.
///
/// Nothing in it is ever written, locked or removed by us.
package struct AzureCLIFolder: Sendable {
  /// `$AZURE_CONFIG_DIR`, else `~/.azure`; nil where there is no home to look in.
  package let path: String?
  let config: INIFile
  let clouds: INIFile
  private let environment: Environment

  package init(_ environment: Environment) {
    path = environment["AZURE_CONFIG_DIR"] ?? environment.home.map { $0 + "/.azure" }
    self.environment = environment
    config = Self.readINI("config", in: path)
    clouds = Self.readINI("clouds.config", in: path)
  }

  /// A setting as az reads it: `AZURE_<SECTION>_<OPTION>`, then the file `config`.
  package func setting(_ section: String, _ option: String) -> String? {
    environment["AZURE_\(section.uppercased())_\(option.uppercased())"] ?? config[section, option]
  }

  /// az's selected cloud; nil is az's default, AzureCloud.
  package var cloudName: String? { setting("cloud", "name") }

  /// `az configure --defaults group=…`.
  package var defaultGroup: String? { setting("defaults", "group") }

  /// `az configure --defaults location=…`.
  package var defaultLocation: String? { setting("defaults", "location") }

  /// Whether az was told to encrypt its token cache; nil where it was told nothing.
  var encryptsTokenCache: Bool? {
    setting("core", "encrypt_token_cache").map { text in
      ["1", "yes", "true", "on"].contains(text.lowercased())
    }
  }

  private static func readINI(_ name: String, in path: String?) -> INIFile {
    guard let path, let bytes = try? Files.read(path + "/" + name, limit: 1 << 20) else {
      return INIFile()
    }
    return INIFile(String(decoding: bytes, as: UTF8.self))
  }

  /// A JSON file of az's, which writes in place and without a lock that readers could take: what
  /// does not parse is read again a little later.
  ///
  /// - Returns: nil where the file is missing or stays unreadable.
  func readJSON<Value: Decodable>(
    _ name: String, as type: Value.Type, sleep: @Sendable (Duration) async -> Void
  ) async -> Value? {
    guard let path else { return nil }
    for attempt in 0..<4 {
      if attempt > 0 { await sleep(.milliseconds(100)) }
      guard var bytes = try? Files.read(path + "/" + name) else { return nil }
      defer { overwrite(&bytes) }
      let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
      if let value = try? JSONDecoder().decode(type, from: Data(bytes[start...])) { return value }
    }
    return nil
  }
}
