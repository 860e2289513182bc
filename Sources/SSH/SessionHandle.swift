import CLibSSH2
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How far a libssh2 call got.
///
/// "Would block" is an answer, not an error.
enum Step<Value> {
  case ready(Value)
  case wouldBlock
  case failed(LibraryError)
}

/// A libssh2 error, copied at the failing call.
struct LibraryError: Error, Equatable {
  var code: Int
  /// The library's own words, or the server's; already printable.
  var message: String
}

/// A channel of a session, by number: the handle owns the channel itself.
struct ChannelID: Hashable {
  let number: Int
}

/// The libssh2 session and all its channels, owned by one thread.
///
/// Channels are numbers into the session, so that none can outlive it. Pointers of libssh2 are
/// seen in `SessionHandle*.swift` alone.
@safe struct SessionHandle: ~Copyable {
  let pointer: OpaquePointer
  let context: SessionContext
  /// What libssh2 hands to the callbacks; leads to `context`.
  let callbackContext: UnsafeMutablePointer<clibssh2_context>
  var channels: [ChannelID: OpaquePointer] = unsafe [:]
  var listeners: [Int: OpaquePointer] = unsafe [:]
  private var nextNumber = 0

  /// The library is set up once; libssh2_init is not safe to call from two threads.
  private static let initialised: Int32 = libssh2_init(0)

  init(context: SessionContext) throws(LibraryError) {
    guard Self.initialised == 0 else {
      throw LibraryError(code: Int(Self.initialised), message: "libssh2 could not be started")
    }
    let box = UnsafeMutablePointer<clibssh2_context>.allocate(capacity: 1)
    unsafe box.initialize(to: clibssh2_context())
    unsafe box.pointee.owner = unsafe Unmanaged.passUnretained(context).toOpaque()
    unsafe box.pointee.overwrites = 1
    unsafe box.pointee.shows_all = context.collectsKey ? 1 : 0
    unsafe box.pointee.released = unsafe releasedCallback
    guard let pointer = unsafe clibssh2_session(box) else {
      unsafe box.deallocate()
      throw LibraryError(code: Int(LIBSSH2_ERROR_ALLOC), message: "out of memory")
    }
    unsafe self.pointer = unsafe pointer
    self.context = context
    unsafe callbackContext = unsafe box
    unsafe libssh2_session_set_blocking(pointer, 0)
    unsafe clibssh2_set_read_timeout(pointer, 24 * 3600)
    unsafe clibssh2_set_transport(pointer, receiveCallback, sendCallback)
    unsafe clibssh2_set_disconnect(pointer, disconnectCallback)
  }

  deinit {
    // A live peer is said good-bye to before (``SSHSession/disconnect()``); here nobody waits.
    context.isDead = true
    context.incoming.removeAll()
    context.hasEnded = true
    for _ in 0..<64 where unsafe libssh2_session_free(pointer) != LIBSSH2_ERROR_EAGAIN { break }
    unsafe callbackContext.deallocate()
  }

  /// Secrets have been given; from here on freed memory holds the user's data at most.
  func stopOverwriting() { unsafe callbackContext.pointee.overwrites = 0 }

  /// From here on what belongs to a key exchange is noted; see ``stopKeeping()``.
  func startKeeping() { unsafe callbackContext.pointee.keeps = 1 }

  /// - Returns: by its length, memory that may be the hash of the key exchange: the only one of that
  ///   length that is still in use.
  func stopKeeping() -> [Int: [UInt8]] {
    var found: [Int: [UInt8]] = [:]
    for length in [20, 32, 48, 64] {
      guard let bytes = unsafe clibssh2_kept(callbackContext, length) else { continue }
      found[length] = unsafe Array(UnsafeBufferPointer(start: bytes, count: length))
    }
    unsafe callbackContext.pointee.keeps = 0
    unsafe callbackContext.pointee.kept_count = 0
    return found
  }

  /// The version of the library at run time.
  static var libraryVersion: String {
    guard let text = unsafe libssh2_version(0) else { return "unknown" }
    return unsafe String(cString: text)
  }

  mutating func register(_ channel: OpaquePointer) -> ChannelID {
    nextNumber += 1
    let id = ChannelID(number: nextNumber)
    unsafe channels[id] = unsafe channel
    return id
  }

  /// The session's last error.
  ///
  /// Must be asked directly after the failing call.
  func lastError(_ code: Int) -> LibraryError {
    var text: UnsafeMutablePointer<CChar>?
    var length: Int32 = 0
    let number = unsafe libssh2_session_last_error(pointer, &text, &length, 0)
    var message = ""
    if let text = unsafe text, Int(number) == code {
      message = unsafe printable(String(cString: text), limit: 300)
    }
    return LibraryError(code: code, message: message)
  }

  /// The result of a call that answers 0 or an error.
  func step(_ code: Int32) -> Step<Void> {
    switch code {
    case LIBSSH2_ERROR_EAGAIN: .wouldBlock
    case ..<0: .failed(lastError(Int(code)))
    default: .ready(())
    }
  }

  // MARK: Key exchange

  /// What a session can be told to prefer, and be asked for what was agreed.
  enum Method: Int32 {
    case keyExchange = 0
    case hostKey = 1
    case cipherToServer = 2
    case cipherToClient = 3
    case macToServer = 4
    case macToClient = 5
    case compressionToServer = 6
    case compressionToClient = 7
    /// What an RSA key of the user's signs with; unknown to libssh2 1.10.
    case signature = 10
  }

  func prefer(_ names: String, for method: Method) throws(LibraryError) {
    let code = unsafe libssh2_session_method_pref(pointer, method.rawValue, names)
    if code != 0 { throw lastError(Int(code)) }
  }

  func agreed(_ method: Method) -> String? {
    guard let text = unsafe libssh2_session_methods(pointer, method.rawValue) else { return nil }
    return unsafe String(cString: text)
  }

  /// The names the library knows for a method, in its own order.
  func supported(_ method: Method) -> [String] {
    var list: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    let count = unsafe libssh2_session_supported_algs(pointer, method.rawValue, &list)
    guard count > 0, let list = unsafe list else { return [] }
    defer { unsafe libssh2_free(pointer, list) }
    return (0..<Int(count)).compactMap { index in
      guard let name = unsafe list[index] else { return nil }
      return unsafe String(cString: name)
    }
  }

  /// Banner, key exchange, and the request for authentication.
  ///
  /// libssh2 looks at the descriptor's flags only; all bytes go through the context.
  func handshake(socket: Int32) -> Step<Void> {
    step(unsafe libssh2_session_handshake(pointer, socket))
  }

  var serverBanner: String {
    guard let text = unsafe libssh2_session_banner_get(pointer) else { return "" }
    return unsafe printable(String(cString: text), limit: 300)
  }

  /// The server's public key of the last key exchange.
  var hostKeyBlob: [UInt8]? {
    var length = 0
    var type: Int32 = 0
    guard let bytes = unsafe libssh2_session_hostkey(pointer, &length, &type) else { return nil }
    return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: length))
  }

  /// Whether the server still has that key.
  ///
  /// A key exchange in the middle of a session replaces it without a word, so this is asked after
  /// every read.
  func hasHostKey(_ blob: [UInt8]) -> Bool {
    var length = 0
    var type: Int32 = 0
    guard let bytes = unsafe libssh2_session_hostkey(pointer, &length, &type),
      length == blob.count
    else { return false }
    return unsafe blob.withUnsafeBytes { known in
      guard let base = known.baseAddress else { return length == 0 }
      return unsafe memcmp(base, bytes, length) == 0
    }
  }

  /// Tells the peer that this is the end; the caller still has to send it.
  func sayGoodbye() {
    _ = unsafe libssh2_session_disconnect_ex(
      pointer, SSH_DISCONNECT_BY_APPLICATION, "disconnected by user", "")
  }

  /// Asks for an answer while a channel is being opened, which nothing else can do then.
  ///
  /// libssh2 keeps the answer for ever, so this is not for every interval of a long session.
  func sendKeepAlive() {
    // Interval 2 is the shortest; the caller decides when to send, by its own clock.
    unsafe libssh2_keepalive_config(pointer, 1, 2)
    var next: Int32 = 0
    _ = unsafe libssh2_keepalive_send(pointer, &next)
  }
}
