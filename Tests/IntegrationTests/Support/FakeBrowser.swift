import FoundationEssentials
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Stands in the place of a browser: the program opens an address with it, and the test does what
/// the page would.
struct FakeBrowser {
  let stage: Stage

  /// Writes a program that only writes down which address it was given.
  init(_ stage: Stage) throws {
    self.stage = stage
    let file = stage.folder + "/work/address"
    try Files.replace(
      stage.folder + "/work/browser",
      with: """
        #!/bin/sh
        PATH=/usr/bin:/bin
        printf '%s' "$*" > '\(file).new' && mv '\(file).new' '\(file)'

        """.utf8,
      mode: 0o755)
  }

  /// What a run needs so that only a person's sign-in serves.
  var environment: [String: String?] {
    FlowSignInTests.noPrincipal.merging(["BROWSER": stage.folder + "/work/browser"]) { $1 }
  }

  /// The address that the program opened.
  func address(of running: Running) async throws -> String {
    try await running.wait(for: "the browser") { stage.read("work/address") != nil }
    let address = stage.read("work/address") ?? ""
    try FileManager.default.removeItem(atPath: stage.folder + "/work/address")
    return address
  }

  /// Goes to the sign-in page and sends its form back, as its script would.
  ///
  /// - Returns: the page of the program.
  @discardableResult
  func signIn(_ running: Running) async throws -> String {
    let address = try await address(of: running)
    return try await Blocking.run {
      let page = try Self.exchange("GET", address)
      return try Self.submit(page)
    }
  }

  /// Sends the form of a page to where it leads.
  static func submit(_ page: String, changing changes: [String: String] = [:]) throws -> String {
    guard let target = attribute("action", in: page[...]) else {
      throw Problem("there is no form on the page: \(page)")
    }
    var fields: [String] = []
    for input in page.split(separator: "<input ").dropFirst() {
      guard let name = attribute("name", in: input), let value = attribute("value", in: input)
      else { continue }
      fields.append("\(name)=\(encoded(changes[name] ?? value))")
    }
    return try exchange("POST", target, body: fields.joined(separator: "&"))
  }

  private static func attribute(_ name: String, in text: Substring) -> String? {
    guard let start = text.firstRange(of: name + "=\"") else { return nil }
    return String(text[start.upperBound...].prefix { $0 != "\"" })
      .replacing("&quot;", with: "\"").replacing("&lt;", with: "<").replacing("&amp;", with: "&")
  }

  private static func encoded(_ text: String) -> String {
    text.utf8.reduce(into: "") { result, byte in
      let isPlain =
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      result +=
        isPlain
        ? String(UnicodeScalar(byte)) : (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
    }
  }

  /// One HTTP exchange with a server of this machine.
  static func exchange(_ method: String, _ url: String, body: String = "") throws -> String {
    let rest = url.replacing("http://", with: "")
    let authority = rest.prefix { $0 != "/" }
    let path = rest.dropFirst(authority.count)
    guard let port = authority.split(separator: ":").last.flatMap({ UInt16($0) }),
      let address = try InternetAddress.resolve("127.0.0.1", port: port, numericOnly: true).first
    else { throw Problem("\(url) is no address of this machine") }
    let connection = FileDescriptor(owning: try address.startConnecting())
    setNonBlocking(connection.number, false)
    var ready = pollfd(fd: connection.number, events: Int16(POLLOUT), revents: 0)
    guard unsafe poll(&ready, 1, 10_000) == 1 else { throw Problem("\(url) does not answer") }
    if let error = connectionError(of: connection.number) { throw error }
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    _ = unsafe setsockopt(
      connection.number, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    let request =
      "\(method) \(path.isEmpty ? "/" : path) HTTP/1.1\r\nHost: \(authority)\r\n"
      + "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
      + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    try writeAll(connection.number, Array(request.utf8))
    var answer: [UInt8] = []
    while let more = try? readSome(connection.number, limit: 16 << 10), !more.isEmpty {
      answer += more
    }
    return String(decoding: answer, as: UTF8.self)
  }
}
