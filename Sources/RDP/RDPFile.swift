package import Platform

/// The text of an .rdp file: known settings, each once, in order.
package struct RDPFile: Sendable, Equatable {
  package internal(set) var settings: [RDPSetting]

  init(settings: [RDPSetting]) { self.settings = settings }

  /// The value of a setting, where it is written.
  package subscript(_ name: String) -> String? {
    settings.first { $0.name == name }?.value
  }

  /// The file for these options.
  ///
  /// An absent line means "on" to Windows' client for the clipboard, printers, smart cards and
  /// WebAuthn, so every redirection is written out.
  ///
  /// - Throws: `setting-invalid` for every value that could make a second line, another host or a
  ///   client's option, and for settings that contradict each other.
  package init(_ options: RDPOptions) throws(Failure) {
    let address = try refused("the host \(printable(options.host))") { () throws(RDPRefusal) in
      try RDPAddress(host: options.host, port: options.port)
    }
    settings = [RDPSetting("full address", address.text)]
    if let user = options.user {
      try refused("the user name \(printable(user))") { () throws(RDPRefusal) in
        try checkUser(user)
      }
      settings.append(RDPSetting("username", user))
    }
    settings += [
      RDPSetting("prompt for credentials", 1),
      RDPSetting("authentication level", 2),
      RDPSetting("enablecredsspsupport", 1),
      RDPSetting("negotiate security layer", 1),
    ]
    if options.entraSignIn {
      try Self.checkEntra(address, user: options.user)
      settings.append(RDPSetting("enablerdsaadauth", 1))
    }
    if options.administrative { settings.append(RDPSetting("administrative session", 1)) }
    settings.append(RDPSetting("screen mode id", options.size == nil ? 2 : 1))
    if let size = options.size {
      try add("desktopwidth", String(size.width))
      try add("desktopheight", String(size.height))
    }
    settings += [
      RDPSetting("dynamic resolution", 1),
      RDPSetting("use multimon", options.allMonitors ? 1 : 0),
      RDPSetting("audiomode", options.sound.rawValue),
      RDPSetting("audiocapturemode", options.microphone ? 1 : 0),
      RDPSetting("redirectclipboard", options.clipboard ? 1 : 0),
      RDPSetting("redirectprinters", 0),
      RDPSetting("redirectcomports", 0),
      RDPSetting("redirectsmartcards", 0),
      RDPSetting("redirectwebauthn", 0),
    ]
    try add("drivestoredirect", options.drives ?? "")
    settings.append(RDPSetting("devicestoredirect", ""))
    settings.append(RDPSetting("autoreconnection enabled", 1))
    if let gateway = options.gateway {
      guard !gateway.isEmpty else {
        throw Failure(.settingInvalid, what: "the gateway is empty")
      }
      try add("gatewayhostname", gateway)
      settings += [
        RDPSetting("gatewayusagemethod", 1),
        RDPSetting("gatewayprofileusagemethod", 1),
        RDPSetting("gatewaycredentialssource", Assumptions.gatewayCredentialsSource),
      ]
    } else {
      settings.append(RDPSetting("gatewayusagemethod", 0))
    }
    try apply(options.extra)
  }

  private mutating func add(_ name: String, _ value: String) throws(Failure) {
    guard let rule = rdpSettings[name] else { return }
    settings.append(
      try refused("the setting \(name) of \(printable(value))") { () throws(RDPRefusal) in
        try RDPSetting(name: name, value: value, rule: rule)
      })
  }

  private mutating func apply(_ extra: [String]) throws(Failure) {
    var seen: Set<String> = []
    for line in extra {
      // Only the name is repeated: the value may be a password.
      let name = String(line.unicodeScalars.prefix { $0 != ":" })
      let setting = try refused("the RDP setting \(printable(name, limit: 80))") {
        () throws(RDPRefusal) in
        let setting = try RDPSetting(line: line, anyCase: true)
        if ownSettings.contains(setting.name) {
          throw RDPRefusal("is decided by the command line's other words")
        }
        return setting
      }
      guard seen.insert(setting.name).inserted else { continue }
      if let index = settings.firstIndex(where: { $0.name == setting.name }) {
        settings[index] = setting
      } else {
        settings.append(setting)
      }
    }
    // The switch is as good as the option, so it has the option's condition.
    if self["enablerdsaadauth"] == "1" {
      let address = try refused("the host") { () throws(RDPRefusal) in
        try RDPAddress(self["full address"] ?? "", portNeeded: true)
      }
      try Self.checkEntra(address, user: self["username"])
    }
  }

  /// The client asks Entra ID for a token for the name; for an address there is none.
  private static func checkEntra(_ address: RDPAddress, user: String?) throws(Failure) {
    guard address.kind == .name else {
      throw Failure(
        .settingInvalid, what: "Entra ID sign-in does not work with the address \(address.host)",
        why: "the client needs the name under which Entra ID knows the VM",
        next: "give the VM's computer name, and a line for it in the hosts file")
    }
    if let user, user.unicodeScalars.contains("\\") {
      throw Failure(
        .settingInvalid, what: "Entra ID sign-in does not take the user name \(printable(user))",
        why: "it takes name@domain without a prefix")
    }
  }

  /// Whether a signature stands at the end.
  package var isSigned: Bool { self["signature"] != nil }

  /// The lines, each with CR LF, the last too.
  package var text: String { settings.map { $0.line + "\r\n" }.joined() }

  /// The form that every client reads: UTF-16LE with a byte order mark.
  package var bytes: [UInt8] { [0xFF, 0xFE] + utf16LittleEndian(text) }

  /// The form for a pipe, which people search with `grep`: ASCII where all of it is and no
  /// signature covers the bytes, else ``bytes``.
  package var bytesForPipe: [UInt8] {
    let text = text
    guard !isSigned, text.utf8.allSatisfy({ $0 < 0x80 }) else { return bytes }
    return Array(text.utf8)
  }
}

func utf16LittleEndian(_ text: String) -> [UInt8] {
  text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
}

/// Turns a refusal into the failure that names what was refused.
private func refused<Value>(
  _ what: String, _ body: () throws(RDPRefusal) -> Value
) throws(Failure) -> Value {
  do {
    return try body()
  } catch {
    throw Failure(.settingInvalid, what: "\(what) is refused", why: "it \(error.reason)")
  }
}
