import HTTP
import Platform

/// The Azure Arc agent's demand for the content of a file that only root and a group may read.
///
/// The agent names the file. What it may name is narrow, so that nobody in its place can have any
/// other file sent to him.
struct ArcChallenge {
  struct Problem: Error {
    var text: String
  }

  static let longestKey = 4096

  private let path: String

  init(_ headers: HTTPHeaders) throws(Problem) {
    let marker = "basic realm="
    guard
      let field = headers.all("WWW-Authenticate").first(where: {
        $0.lowercased().hasPrefix(marker)
      })
    else { throw Problem(text: "its answer names no key file") }
    path = String(field.dropFirst(marker.count)).trimmingASCIISpace.replacing("\"", with: "")
  }

  /// The file's content, as it is.
  ///
  /// - Parameter folder: the one folder in which key files may lie.
  func key(in folder: String) throws(Problem) -> SecretBytes {
    let shown = printable(path, limit: 200)
    let name = path.split(separator: "/").last.map(String.init) ?? ""
    guard path == "\(folder)/\(name)", name.hasSuffix(".key"), !name.hasPrefix(".") else {
      throw Problem(text: "\(shown) is no key file of \(folder)")
    }
    guard let kind = Files.kind(of: path) else { throw Problem(text: "\(shown) is not there") }
    // No link: it could lead anywhere.
    guard kind.isRegular, kind.size <= Self.longestKey else {
      throw Problem(text: "\(shown) is no regular file of at most \(Self.longestKey) bytes")
    }
    var bytes: [UInt8]
    do {
      bytes = try Files.read(path, limit: Self.longestKey)
    } catch {
      throw Problem(text: "\(shown) cannot be read: \(error)")
    }
    guard !bytes.isEmpty, bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else {
      overwrite(&bytes)
      throw Problem(text: "\(shown) holds no key")
    }
    return SecretBytes(taking: &bytes)
  }
}
