package import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The program that shows a page to the person in front of this machine.
package struct Browser: Sendable {
  /// The program and its words; `%s` stands for the address, else the address follows.
  private let words: [String]
  private let variables: [String: String]

  private init(_ words: [String], _ environment: Environment) {
    self.words = words
    variables = environment.withoutSecrets
  }

  /// The browser of this machine; nil where nobody would see it.
  ///
  /// `$BROWSER` decides alone. Otherwise there has to be a display: a session over ssh has none, nor
  /// has a codespace or Cloud Shell.
  package static func find(in environment: Environment) -> Browser? {
    if let named = environment["BROWSER"]?.split(separator: ":").first {
      let words = named.split(separator: " ").map(String.init)
      guard let name = words.first else { return nil }
      let path = name.hasPrefix("/") ? name : ChildProcess.find(name, in: environment)
      guard let path, unsafe access(path, X_OK) == 0 else { return nil }
      return Browser([path] + words.dropFirst(), environment)
    }
    let isElsewhere = ["CODESPACES", "ACC_CLOUD", "SSH_CONNECTION", "SSH_TTY"].contains {
      environment[$0] != nil
    }
    #if canImport(Darwin)
      let hasDisplay = !isElsewhere
      let programs = ["open"]
    #else
      // A display that ssh forwards is far slower than a device code is typed.
      let isWindows = environment["WSL_INTEROP"] != nil
      let hasDisplay =
        !isElsewhere
        && (isWindows || environment["DISPLAY"] != nil || environment["WAYLAND_DISPLAY"] != nil)
      let programs = isWindows ? ["wslview"] : ["xdg-open", "x-www-browser"]
    #endif
    guard hasDisplay else { return nil }
    return programs.lazy.compactMap { ChildProcess.find($0, in: environment) }.first
      .map { Browser([$0], environment) }
  }

  /// Starts it and does not wait: some openers stay until the window is closed.
  func open(_ url: String) throws(Failure) {
    var arguments = words.dropFirst().map { $0.replacing("%s", with: url) }
    if !words.contains(where: { $0.contains("%s") }) { arguments.append(url) }
    let program = words.first ?? ""
    do {
      let null = FileDescriptor(
        owning: try valueOrSystemError { openFile("/dev/null") })
      let process = try ChildProcess(
        path: program, arguments: arguments, environment: variables, directory: "/"
      ).start(input: null.number, output: null.number, error: null.number, newSession: true)
      startThread { _ = ChildProcess.wait(for: process) }
    } catch {
      throw Failure(
        .programFailed, what: "the browser cannot be started", why: "\(program): \(error)",
        next: "jitconnect login --device-code", cause: .system(error.number))
    }
  }
}

/// Under another name than the browser's own `open`.
private func openFile(_ path: String) -> Int32 { unsafe open(path, O_RDWR | O_CLOEXEC) }
