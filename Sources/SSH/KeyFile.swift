import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A private key file as far as it can be read without its passphrase.
struct KeyFile {
  var path: String
  /// Nil where only the public half is known (`-i key.pub`: the agent has the other).
  var privateKey: SecretBytes?
  /// The public key's bytes, where the file or the `.pub` beside it tells them.
  var publicBlob: [UInt8]?
  var isEncrypted = false
  /// As far as the file says so itself.
  var isRSA = false

  /// Why a file cannot be used.
  enum Problem: Error, Equatable {
    case missing
    case unreadable(SystemError)
    case tooOpen(mode: UInt32)
    case unknownFormat
  }

  init(path: String) throws(Problem) {
    self.path = path
    let bytes = try Self.read(path)
    guard var bytes else {
      // As ssh: the public half alone is enough where an agent holds the private one.
      guard let blob = PublicKeyLine(file: path + ".pub")?.blob else { throw .missing }
      publicBlob = blob
      return
    }
    if let line = PublicKeyLine(bytes) {
      publicBlob = line.blob
      return
    }
    let mode = Files.kind(of: path, followingLinks: true)
    if let mode, mode.isRegular, mode.owner == getuid(), mode.mode & 0o077 != 0 {
      overwrite(&bytes)
      throw .tooOpen(mode: mode.mode)
    }
    guard let shape = Self.shape(of: bytes) else {
      overwrite(&bytes)
      throw .unknownFormat
    }
    isEncrypted = shape.isEncrypted
    isRSA = shape.isRSA
    publicBlob = shape.publicBlob ?? PublicKeyLine(file: path + ".pub")?.blob
    privateKey = SecretBytes(taking: &bytes)
  }

  private static func read(_ path: String) throws(Problem) -> [UInt8]? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw .unreadable(.last)
    }
    // Devices and folders hold no keys; a pipe may (`-i <(…)`).
    guard [S_IFREG, S_IFIFO].contains(status.st_mode & S_IFMT) else { throw .unknownFormat }
    do throws(SystemError) {
      return try Files.read(path, limit: 1 << 20)
    } catch {
      throw .unreadable(error)
    }
  }

  struct Shape {
    var isEncrypted: Bool
    var isRSA: Bool
    var publicBlob: [UInt8]?
  }

  /// What an OpenSSH or PEM text tells without its passphrase; nil for anything else.
  static func shape(of bytes: [UInt8]) -> Shape? {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let begin = text.range(of: "-----BEGIN "),
      let lineEnd = text[begin.upperBound...].firstIndex(where: \.isNewline)
    else { return nil }
    let label = text[begin.upperBound..<lineEnd]
    guard label.contains("PRIVATE KEY-----") else { return nil }
    guard label.hasPrefix("OPENSSH ") else {
      return Shape(
        isEncrypted: label.hasPrefix("ENCRYPTED ") || text.contains("4,ENCRYPTED"),
        isRSA: label.hasPrefix("RSA "))
    }
    guard let end = text.range(of: "-----END ", from: lineEnd) else { return nil }
    var body = Base64.decode(text[lineEnd..<end.lowerBound].utf8) ?? []
    defer { overwrite(&body) }
    let magic = Array("openssh-key-v1\0".utf8)
    guard body.starts(with: magic) else { return nil }
    var reader = WireReader(body.dropFirst(magic.count))
    guard let cipher = reader.text(), reader.string() != nil, reader.string() != nil,
      reader.uint32() == 1, let blob = reader.string()
    else { return nil }
    return Shape(
      isEncrypted: cipher != "none", isRSA: HostKey(blob: blob).type == "ssh-rsa", publicBlob: blob)
  }
}

extension String {
  /// The first place of `part`, at or after `start`.
  fileprivate func range(of part: String, from start: Index? = nil) -> Range<Index>? {
    var index = start ?? startIndex
    while index < endIndex {
      if self[index...].hasPrefix(part) {
        return index..<self.index(index, offsetBy: part.count)
      }
      index = self.index(after: index)
    }
    return nil
  }
}

/// A public key or certificate as a line of text: `type base64 comment`.
struct PublicKeyLine {
  var type: String
  var blob: [UInt8]

  init?(_ bytes: [UInt8]) {
    guard bytes.count < 256 << 10 else { return nil }
    let line = bytes.prefix { $0 != UInt8(ascii: "\n") }
    let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
    guard words.count >= 2, let blob = Base64.decode(words[1]) else { return nil }
    var reader = WireReader(blob)
    guard let type = reader.text(), type.utf8.elementsEqual(words[0]) else { return nil }
    self.type = type
    self.blob = blob
  }

  init?(file path: String) {
    guard let bytes = try? Files.read(path, limit: 256 << 10) else { return nil }
    self.init(bytes)
  }

  /// `type base64`, which is all that libssh2 reads.
  var text: [UInt8] { Array("\(type) \(Base64.encode(blob))".utf8) }

  var isCertificate: Bool { type.hasSuffix("-cert-v01@openssh.com") }

  /// The public key inside a certificate, as its own blob; nil for a kind not known here.
  var certifiedKey: [UInt8]? { Self.certifiedKey(in: blob) }

  static func certifiedKey(in blob: [UInt8]) -> [UInt8]? {
    var reader = WireReader(blob)
    guard let type = reader.text(), reader.string() != nil else { return nil }
    let plain = type.replacingSuffix("-cert-v01@openssh.com", with: "")
    // How many fields of the key follow the nonce (PROTOCOL.certkeys).
    let fields: Int
    switch plain {
    case "ssh-ed25519": fields = 1
    case "ssh-rsa": fields = 2
    case _ where plain.hasPrefix("ecdsa-sha2-"): fields = 2
    case _ where plain.hasPrefix("sk-ssh-ed25519"): fields = 2
    case _ where plain.hasPrefix("sk-ecdsa-sha2-"): fields = 3
    default: return nil
    }
    var writer = WireWriter()
    writer.string(plain.hasPrefix("sk-") ? plain + "@openssh.com" : plain)
    for _ in 0..<fields {
      guard let field = reader.string() else { return nil }
      writer.string(field)
    }
    return writer.bytes
  }
}

extension String {
  fileprivate func replacingSuffix(_ suffix: String, with other: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) + other : self
  }
}
