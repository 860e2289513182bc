import CLibSSH2
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How the server answered an attempt to log in.
enum AttemptResult {
  case accepted
  case refused
  /// Refused, or accepted as one of several factors: only the next list of methods tells.
  case refusedAfterSignature
}

extension SessionHandle {
  /// Whether RSA user keys work with servers that refuse SHA-1.
  ///
  /// A property, not the constant, so that neither answer makes code unreachable.
  static var canUseRSA: Bool { clibssh2_has_rsa_sha2 != 0 }

  var isAuthenticated: Bool { unsafe libssh2_userauth_authenticated(pointer) != 0 }

  /// Asks for the methods that can continue, by trying "none".
  ///
  /// - Returns: the methods; nil when "none" was enough.
  func methods(user: String) -> Step<[String]?> {
    let list = unsafe libssh2_userauth_list(pointer, user, UInt32(clamping: user.utf8.count))
    if let list = unsafe list {
      let text = unsafe printable(String(cString: list), limit: 500)
      return .ready(text.split(separator: ",").map(String.init))
    }
    if isAuthenticated { return .ready(nil) }
    let code = unsafe libssh2_session_last_errno(pointer)
    if code == LIBSSH2_ERROR_EAGAIN { return .wouldBlock }
    return .failed(lastError(Int(code)))
  }

  /// What the server wants shown before the login; libssh2 hears it only while it lists methods.
  var userBanner: String? {
    var text: UnsafeMutablePointer<CChar>?
    guard unsafe clibssh2_userauth_banner(pointer, &text) == 0, let text = unsafe text else {
      return nil
    }
    return unsafe String(cString: text)
  }

  func tryPassword(_ password: SecretBytes, user: String) -> Step<AttemptResult> {
    let code = unsafe password.withBytes { bytes in
      unsafe libssh2_userauth_password_ex(
        pointer, user, UInt32(clamping: user.utf8.count),
        bytes.baseAddress?.assumingMemoryBound(to: CChar.self), UInt32(clamping: bytes.count), nil)
    }
    return attempt(code)
  }

  /// Tries a key whose private half is elsewhere.
  ///
  /// When the server wants a signature, the context's `signature` becomes `.wanted`; the call is
  /// made again once it is `.ready` or `.refused`.
  func tryKey(blob: [UInt8], user: String) -> Step<AttemptResult> {
    var box: UnsafeMutableRawPointer? = unsafe UnsafeMutableRawPointer(callbackContext)
    let code = unsafe blob.withUnsafeBufferPointer { blob in
      unsafe libssh2_userauth_publickey(
        pointer, user, blob.baseAddress, blob.count, signCallback, &box)
    }
    return attempt(code)
  }

  /// Tries a private key in a text form that libssh2 reads.
  ///
  /// - Parameter publicKey: a line `type base64`: the public key or a certificate; nil lets libssh2
  ///   derive it.
  func tryKey(
    privateKey: SecretBytes, publicKey: [UInt8]?, passphrase: SecretBytes?, user: String
  ) -> Step<AttemptResult> {
    let publicKey = publicKey ?? []
    // libssh2 wants a C string.
    let secret = SecretBytes(passphrase.map(terminated) ?? [0])
    let code = unsafe privateKey.withBytes { key in
      unsafe secret.withBytes { secret in
        unsafe publicKey.withUnsafeBytes { line in
          unsafe libssh2_userauth_publickey_frommemory(
            pointer, user, user.utf8.count,
            line.isEmpty ? nil : line.baseAddress?.assumingMemoryBound(to: CChar.self), line.count,
            key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count,
            passphrase == nil ? nil : secret.baseAddress?.assumingMemoryBound(to: CChar.self))
        }
      }
    }
    return attempt(code)
  }

  /// One attempt of keyboard-interactive; the context's `answerPrompts` is asked each round.
  func tryInteractive(user: String) -> Step<AttemptResult> {
    attempt(
      unsafe libssh2_userauth_keyboard_interactive_ex(
        pointer, user, UInt32(clamping: user.utf8.count), interactiveCallback))
  }

  private func attempt(_ code: Int32) -> Step<AttemptResult> {
    switch code {
    case 0: return .ready(.accepted)
    case LIBSSH2_ERROR_EAGAIN: return .wouldBlock
    case LIBSSH2_ERROR_AUTHENTICATION_FAILED: return .ready(.refused)
    case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
      // Also said when the connection broke while waiting for the answer.
      if context.hasEnded || context.disconnect != nil { return .failed(lastError(Int(code))) }
      return .ready(.refusedAfterSignature)
    default: return .failed(lastError(Int(code)))
    }
  }
}

/// Whether a private key and a passphrase fit, without a server.
enum KeyCheck {
  static func opens(_ privateKey: SecretBytes, with passphrase: SecretBytes) -> Bool {
    open(privateKey, passphrase, SessionContext())
  }

  /// The section of a key in OpenSSH's format that holds the private numbers, without its
  /// encryption; nil where it cannot be had.
  static func section(of privateKey: SecretBytes, passphrase: SecretBytes?) -> SecretBytes? {
    let context = SessionContext(collectsKey: true)
    return open(privateKey, passphrase, context) ? context.openedKey : nil
  }

  /// libssh2 opens a key only on its way to use it, so this goes that way in a session that leads
  /// nowhere: it gets as far as waiting for the server's answer only if the key could be opened.
  private static func open(
    _ privateKey: SecretBytes, _ passphrase: SecretBytes?, _ context: SessionContext
  ) -> Bool {
    guard let handle = try? SessionHandle(context: context) else { return false }
    let step = handle.tryKey(
      privateKey: privateKey, publicKey: nil, passphrase: passphrase, user: "nobody")
    if case .wouldBlock = step { return true }
    return false
  }
}

private func terminated(_ secret: SecretBytes) -> [UInt8] {
  unsafe secret.withBytes { unsafe Array($0) + [0] }
}

/// Memory that libssh2 frees, with a copy of the bytes.
@unsafe private func libraryCopy(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutableRawPointer? {
  guard let copy = unsafe malloc(max(bytes.count, 1)) else { return nil }
  if let base = bytes.baseAddress { unsafe memcpy(copy, base, bytes.count) }
  return unsafe copy
}

private let signCallback:
  @convention(c) (
    OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?,
    UnsafeMutablePointer<Int>?, UnsafePointer<UInt8>?, Int,
    UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  ) -> Int32 = { _, signature, length, data, count, abstract in
    guard let context = unsafe SessionContext.from(abstract), let data = unsafe data else {
      return -1
    }
    switch context.signature {
    case .none, .wanted:
      context.signature = .wanted(unsafe Array(UnsafeBufferPointer(start: data, count: count)))
      return LIBSSH2_ERROR_EAGAIN
    case .refused:
      context.signature = .none
      return -1
    case .ready(let bytes):
      context.signature = .none
      guard let copy = unsafe bytes.withUnsafeBytes({ unsafe libraryCopy($0) }) else { return -1 }
      unsafe signature?.pointee = copy.assumingMemoryBound(to: UInt8.self)
      unsafe length?.pointee = bytes.count
      return 0
    }
  }

private let interactiveCallback:
  @convention(c) (
    UnsafePointer<CChar>?, Int32, UnsafePointer<CChar>?, Int32, Int32,
    UnsafePointer<LIBSSH2_USERAUTH_KBDINT_PROMPT>?,
    UnsafeMutablePointer<LIBSSH2_USERAUTH_KBDINT_RESPONSE>?,
    UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  ) -> Void = { name, nameLength, instruction, instructionLength, count, prompts, answers, box in
    guard let context = unsafe SessionContext.from(box) else { return }
    var round = InteractiveRound(
      name: unsafe text(UnsafeRawPointer(name), Int(nameLength)),
      instruction: unsafe text(UnsafeRawPointer(instruction), Int(instructionLength)), prompts: [])
    for index in 0..<Int(max(count, 0)) {
      guard let prompt = unsafe prompts?[index] else { return }
      let words = unsafe text(UnsafeRawPointer(prompt.text), Int(prompt.length))
      round.prompts.append((words, unsafe prompt.echo != 0))
    }
    guard let given = context.answerPrompts?(round) else { return }
    for (index, answer) in given.enumerated() where index < round.prompts.count {
      let copy = unsafe answer.withBytes { unsafe libraryCopy($0) }
      guard let copy = unsafe copy else { return }
      unsafe answers?[index].text = copy.assumingMemoryBound(to: CChar.self)
      unsafe answers?[index].length = UInt32(clamping: answer.count)
    }
  }

@unsafe private func text(_ pointer: UnsafeRawPointer?, _ length: Int) -> String {
  guard let pointer = unsafe pointer, length > 0 else { return "" }
  return unsafe String(
    decoding: UnsafeRawBufferPointer(start: pointer, count: length), as: UTF8.self)
}
