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
  /// A configuration folder for the client alone.
  var configuration: String?
  private let user: String?
  private let security: RDPProbe.SecurityProtocol?
  private let acceptsAnyServer: Bool
  private let advised: RDPClient?

  init(_ ready: ReadyDesktop, system: RDPClient.System, environment: Environment) {
    name = ready.name
    id = ready.id?.text
    host = ready.host
    port = ready.port
    windowEnd = ready.end
    certificate = ready.certificate
    publisher = ready.publisher
    client = ready.plan.client
    user = ready.file["username"]
    security = ready.clientSecurity
    acceptsAnyServer = ready.file.acceptsAnyServer
    advised = try? RDPClient.choose(nil, on: system) { name in
      ChildProcess.find(name, in: environment).map { _ in name }
    }
  }

  /// What the client is given.
  var session: RDPClient.Session? {
    guard let path = temporary ?? file else { return nil }
    return RDPClient.Session(
      file: path, host: host, port: port, user: user, fingerprint: certificate?.fingerprint,
      security: security)
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
      if !client.holdsCertificate || acceptsAnyServer, certificate != nil {
        lines.append(
          "this client cannot be held to that certificate: compare it with what the client shows")
      }
    } else if let shownPath {
      lines.append("open it with: \(opening(of: shownPath))")
    }
    return lines
  }

  /// Takes away what only the client needed.
  func clearUp() {
    if let temporary { DesktopPlace.remove(temporary) }
    if let configuration { ClientConfiguration.remove(configuration) }
  }

  /// Whether a program that has ended by now only handed the file on, to be read in a moment.
  var isHandedOver: Bool { temporary != nil && client?.endsAtOnce == true }

  /// The command that opens the file, held to the certificate where the client can be.
  private func opening(of path: String) -> String {
    let session = RDPClient.Session(
      file: path.hasPrefix("/") ? path : "./" + path, host: host, port: port, user: user,
      fingerprint: certificate?.fingerprint, security: security)
    guard let client = advised, let words = try? client.arguments(for: session) else {
      return shellLine(["xfreerdp", session.file]) + " (after: apt-get install freerdp2-x11)"
    }
    return shellLine([client.path] + words)
  }
}
