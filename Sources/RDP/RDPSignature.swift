import FoundationEssentials
package import Platform

/// The signature over an .rdp file's lines, as `rdpsign.exe` makes it ([MS-RDWR] §4.2 has a
/// sample).
package enum RDPSignature {
  /// The same file with `alternate full address`, `signscope` and `signature` set; an older
  /// signature is dropped.
  ///
  /// Nothing may be changed afterwards.
  ///
  /// `username` and a few others are outside what a signature covers; see ``scopeNames``.
  ///
  /// - Throws: `rdp-signing-failed`.
  package static func signed(
    _ file: RDPFile, by signer: borrowing RDPSigner
  ) throws(Failure) -> RDPFile {
    var file = prepared(file)
    let scope = scope(of: file)
    let blob = try signatureBlob(around: signer.signature(over: canonicalBytes(file, scope: scope)))
    file.settings.append(RDPSetting("signscope", scope.joined(separator: ",")))
    file.settings.append(RDPSetting("signature", Data(blob).base64EncodedString()))
    return file
  }

  /// The file as it is signed.
  ///
  /// Without `alternate full address` anybody could add one, and it wins.
  static func prepared(_ file: RDPFile) -> RDPFile {
    var settings = file.settings.filter { !["signscope", "signature"].contains($0.name) }
    if file["alternate full address"] == nil,
      let index = settings.firstIndex(where: { $0.name == "full address" })
    {
      settings.insert(
        RDPSetting("alternate full address", settings[index].value), at: index + 1)
    }
    return RDPFile(settings: settings)
  }

  /// The names that are signed: of those that can be, the ones that are present.
  static func scope(of file: RDPFile) -> [String] {
    let present = Set(file.settings.map(\.name))
    return scopeNames.filter { present.contains($0.lowercased()) }
  }

  /// What the signature is made over: the lines in the scope's order, the scope, a 16-bit zero;
  /// UTF-16LE without a byte order mark.
  static func canonicalBytes(_ file: RDPFile, scope: [String]) -> [UInt8] {
    var text = ""
    for name in scope {
      guard let setting = file.settings.first(where: { $0.name == name.lowercased() }) else {
        continue
      }
      text += setting.line + "\r\n"
    }
    text += "signscope:s:" + scope.joined(separator: ",") + "\r\n"
    return utf16LittleEndian(text) + [0, 0]
  }

  /// Version 0x00010001, type 1 (certificate), length, DER; little-endian.
  static func signatureBlob(around der: [UInt8]) -> [UInt8] {
    let length = UInt32(clamping: der.count)
    let header: [UInt32] = [0x0001_0001, 1, length]
    return header.flatMap { word in (0..<4).map { UInt8(word >> (8 * $0) & 0xFF) } } + der
  }

  /// The settings a signature can cover, in the order in which it covers them.
  ///
  /// Not among them: `username`, `screen mode id`, `audiocapturemode`, `redirectlocation`, USB and
  /// cameras, and the newer `enablerdsaadauth` and `redirectwebauthn`, whose place is not known for
  /// sure.
  static let scopeNames = [
    "Full Address", "Alternate Full Address", "PCB", "Use Redirection Server Name", "Server Port",
    "Negotiate Security Layer", "EnableCredSspSupport", "DisableConnectionSharing",
    "AutoReconnection Enabled", "GatewayHostname", "GatewayUsageMethod",
    "GatewayProfileUsageMethod", "GatewayCredentialsSource", "Support URL",
    "PromptCredentialOnce", "Require pre-authentication", "Pre-authentication server address",
    "Alternate Shell", "Shell Working Directory", "RemoteApplicationProgram",
    "RemoteApplicationExpandWorkingdir", "RemoteApplicationMode", "RemoteApplicationGuid",
    "RemoteApplicationName", "RemoteApplicationIcon", "RemoteApplicationFile",
    "RemoteApplicationFileExtensions", "RemoteApplicationCmdLine",
    "RemoteApplicationExpandCmdLine", "Prompt For Credentials", "Authentication Level",
    "AudioMode", "RedirectDrives", "RedirectPrinters", "RedirectCOMPorts", "RedirectSmartCards",
    "RedirectPOSDevices", "RedirectClipboard", "DevicesToRedirect", "DrivesToRedirect",
    "LoadBalanceInfo", "RedirectDirectX", "RDGIsKDCProxy", "KDCProxyName",
    "EventLogUploadAddress",
  ]
}
