import Azure
package import FoundationEssentials
import Platform
package import RDP

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A desktop that was handed out: its file, and the client that shows it.
package struct DesktopDelivery: Sendable {
  package let name: String
  /// The resource id; nil for a host that is no Azure VM.
  package let id: String?
  /// The file that stays, as an absolute path; nil where it went to stdout or to a client alone.
  package internal(set) var file: String?
  /// Where the client goes.
  package let host: String
  package let port: Int
  /// When the window ends; sessions outlive it.
  package let windowEnd: Date?
  package let certificate: RDPCertificate?
  /// Who signed the file; nil where nobody did.
  package let publisher: String?

  let client: RDPClient?
  /// The same as it was asked for.
  var shownPath: String?
  /// A file for the client alone.
  var temporary: String?
  private let user: String?
  private let opening: String

  init(_ ready: ReadyDesktop, system: RDPClient.System, environment: Environment) {
    name = ready.name
    id = ready.id?.text
    host = ready.host
    port = Int(ready.address.port)
    windowEnd = ready.end
    certificate = ready.certificate
    publisher = ready.publisher
    client = ready.plan.client
    user = ready.file["username"]
    opening = Self.openCommand(system, environment)
  }

  /// What the client is given.
  var session: RDPClient.Session? {
    guard let path = temporary ?? file else { return nil }
    return RDPClient.Session(
      file: path, host: host, port: port, user: user, fingerprint: certificate?.fingerprint)
  }

  /// What was done, for a person.
  var words: [String] {
    var lines: [String] = []
    if let shownPath {
      let signed = publisher.map { ", signed by \($0)" } ?? ""
      lines.append("\(name) answers on \(host):\(port); wrote \(shownPath)\(signed)")
    }
    if let client {
      lines.append("opening \(name) with \(client.path)")
      if !client.holdsCertificate, certificate != nil {
        lines.append(
          "this client cannot be held to that certificate: compare it with what the client shows")
      }
    } else if let shownPath {
      lines.append("open it with: \(opening.replacing("%f", with: quoted(shownPath)))")
    }
    return lines
  }

  /// Takes away what only the client needed.
  func clearUp() {
    if let temporary { DesktopFile.remove(temporary) }
  }

  /// A program that hands the file on ends before the other one has read it.
  func waitForHandover() {
    if temporary != nil, client?.endsAtOnce == true {
      sleep(Assumptions.secondsToReadFile)
    }
  }

  /// A path that a shell takes as one word, and no client as an option.
  private func quoted(_ path: String) -> String {
    let path = path.hasPrefix("/") ? path : "./" + path
    let isPlain = path.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
        || "/._-".utf8.contains($0)
    }
    return isPlain ? path : "'" + path.replacing("'", with: "'\\''") + "'"
  }

  private static func openCommand(
    _ system: RDPClient.System, _ environment: Environment
  ) -> String {
    if system == .macOS { return "open -a \"Windows App\" %f" }
    for client in ["xfreerdp3", "xfreerdp"]
    where ChildProcess.find(client, in: environment) != nil {
      return "\(client) %f"
    }
    if ChildProcess.find("remmina", in: environment) != nil { return "remmina -c %f" }
    return "xfreerdp %f (after: apt-get install freerdp2-x11)"
  }
}
