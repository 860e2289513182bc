package import Platform

/// The name of the file for a VM: `web1.rdp`.
///
/// - Throws: `setting-invalid` where the VM's name would be another path, an option of a client,
///   or a device on Windows.
package func rdpFileName(forVM name: String) throws(Failure) -> String {
  let isPlain = name.utf8.allSatisfy { isLetterOrDigit($0) || "-_.".utf8.contains($0) }
  let stem = name.split(separator: ".", omittingEmptySubsequences: false).first ?? ""
  guard isPlain, (1...64).contains(name.utf8.count), name.first != ".", name.first != "-",
    !deviceNames.contains(stem.lowercased())
  else {
    throw Failure(
      .settingInvalid, what: "the VM's name \(printable(name, limit: 80)) is no file name",
      next: "name the file with --output")
  }
  return name + ".rdp"
}

/// Windows opens these instead of a file, with any ending.
private let deviceNames: Set<String> = {
  var names: Set<String> = ["con", "prn", "aux", "nul", "conin$", "conout$"]
  for digit in 0...9 { names.formUnion(["com\(digit)", "lpt\(digit)"]) }
  return names
}()
