package import Platform

extension RDPFile {
  /// Reads a file strictly: only what this tool writes itself, in the form in which it writes it.
  ///
  /// Serves the question whether a file may be replaced, so everything unknown is a failure.
  ///
  /// - Throws: `setting-invalid` that names the line.
  package static func parse(_ bytes: [UInt8]) throws(Failure) -> RDPFile {
    guard let text = decoded(bytes) else {
      throw Failure(
        .settingInvalid, what: "not an .rdp file of this tool",
        why: "it is neither UTF-16LE with a byte order mark nor ASCII")
    }
    guard text.unicodeScalars.last == "\n" else {
      throw Failure(
        .settingInvalid, what: "not an .rdp file of this tool", why: "the last line is cut off")
    }
    var settings: [RDPSetting] = []
    // By UTF-16 units: a CR LF pair is one Character.
    let lines = text.utf16.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      do throws(RDPRefusal) {
        guard line.last == 0x0D else { throw RDPRefusal("does not end with CR LF") }
        let setting = try RDPSetting(line: String(decoding: line.dropLast(), as: UTF16.self))
        guard !settings.contains(where: { $0.name == setting.name }) else {
          throw RDPRefusal("repeats a setting")
        }
        settings.append(setting)
      } catch {
        throw Failure(
          .settingInvalid, what: "not an .rdp file of this tool",
          why: "line \(index + 1) \(error.reason)")
      }
    }
    let file = RDPFile(settings: settings)
    guard settings.first?.name == "full address", file.signatureIsLast else {
      throw Failure(
        .settingInvalid, what: "not an .rdp file of this tool",
        why: "the address is not first, or the signature is not last")
    }
    return file
  }

  private var signatureIsLast: Bool {
    let names = settings.map(\.name)
    let count = names.count { $0 == "signscope" || $0 == "signature" }
    return count == 0 || Array(names.suffix(2)) == ["signscope", "signature"] && count == 2
  }

  private static func decoded(_ bytes: [UInt8]) -> String? {
    guard bytes.starts(with: [0xFF, 0xFE]) else {
      guard bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
      return String(decoding: bytes, as: UTF8.self)
    }
    guard bytes.count.isMultiple(of: 2) else { return nil }
    let units = stride(from: 2, to: bytes.count, by: 2).map {
      UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
    }
    // A lone surrogate would be replaced, and so not be found afterwards.
    return String(validating: units, as: UTF16.self)
  }
}
