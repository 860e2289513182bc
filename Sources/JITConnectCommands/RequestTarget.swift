import JITConnect
import Platform

/// A machine and its ports as `request` and `close` take them: `vm`, `vm:22`, `group/vm:22,443`.
struct RequestTarget: Equatable {
  var machine: String
  /// Empty where none is named.
  var ports: [Int]

  init(parsing text: String) throws(Failure) {
    // Neither names nor resource ids hold a colon.
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    machine = String(parts.first ?? "")
    guard !machine.isEmpty else {
      throw Failure(
        .usage, what: "'\(printable(text, limit: 200))' names no virtual machine",
        next: "write it as vm or vm:port,port")
    }
    ports = parts.count == 2 ? try Self.ports(String(parts[1]), of: text) : []
  }

  /// Reads `22` or `22,443`, without doubles.
  static func ports(_ list: String, of text: String) throws(Failure) -> [Int] {
    var ports: [Int] = []
    for part in list.split(separator: ",", omittingEmptySubsequences: false) {
      let port = try PortSpec.port(String(part), of: text)
      guard port > 0 else {
        throw Failure(
          .usage, what: "'\(printable(text, limit: 200))' names port 0",
          next: "give a port from 1 to 65535")
      }
      if !ports.contains(port) { ports.append(port) }
    }
    return ports
  }
}
