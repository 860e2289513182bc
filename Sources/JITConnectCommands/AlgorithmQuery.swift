import SSH

/// `-Q`: what is really offered, under OpenSSH's names of the lists.
enum AlgorithmQuery {
  static func answer(_ query: String) -> [String]? {
    let preferences = SSHLibrary.algorithms
    switch query.lowercased() {
    case "cipher", "ciphers": return preferences.ciphers
    case "cipher-auth":
      return preferences.ciphers.filter { $0.contains("gcm") || $0.contains("poly1305") }
    case "mac", "macs": return preferences.macs
    case "kex", "kexalgorithms": return preferences.keyExchange
    case "key", "key-plain": return keys
    case "key-cert": return certificates
    case "key-sig", "hostkeyalgorithms", "pubkeyacceptedalgorithms":
      return preferences.hostKeys
    case "compression": return ["none", "zlib@openssh.com"]
    case "protocol-version": return ["2"]
    case "help":
      return [
        "cipher", "cipher-auth", "compression", "kex", "key", "key-cert", "key-plain", "key-sig",
        "mac", "protocol-version",
      ]
    default: return nil
    }
  }

  private static let keys = [
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
  ]

  private static let certificates = keys.map { $0 + "-cert-v01@openssh.com" }
}
