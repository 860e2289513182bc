import CLibSSH2
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What libssh2's callbacks see: user-space buffers in place of the socket, and the answers to the
/// questions of an authentication method.
///
/// Sends are never short and never refused. That removes the corruption and the dead-locks that a
/// half-sent packet causes in every version of libssh2.
@safe final class SessionContext {
  /// From the socket, not yet read by libssh2.
  var incoming = ByteQueue()
  /// From libssh2, not yet written to the socket.
  var outgoing = ByteQueue()
  /// The peer has ended the connection: after `incoming` there is nothing more.
  var hasEnded = false
  /// libssh2 may know of the end.
  ///
  /// Not before all channels have been read: on hearing of it, it refuses to hand out what it had
  /// already received.
  var showsEnd = false
  /// Nothing leads anywhere any more: sends are swallowed, receives fail, so that libssh2 frees
  /// what it holds at once instead of waiting for a peer that will not answer.
  var isDead = false
  /// The server's last words, when it said any.
  var disconnect: (reason: Int, text: String)?
  /// Bytes that libssh2 has taken in all.
  ///
  /// As long as it takes some, it may hold whole packets that nobody has asked for, of which poll
  /// knows nothing.
  private(set) var takenCount = 0
  /// Limits one receive, for tests that cut the stream into odd pieces; 0 is a stall.
  var receiveLimit: (() -> Int)?
  /// The same for one write to the socket.
  var sendLimit: (() -> Int)?

  // MARK: What libssh2 hears and does not tell

  /// What the server said when it last refused an attempt to log in.
  var refusal: Refusal?
  /// The signature algorithms that the server takes from users (`server-sig-algs`, RFC 8308); nil
  /// where it has not said.
  var serverSignatureAlgorithms: [String]?
  /// The host keys and signatures of the first key exchange's answers.
  var exchangeSignatures: [(hostKey: [UInt8], signature: [UInt8])] = []
  /// Whether the remote command's status has come.
  var hasExitStatus = false
  /// Whether the end of a channel has been seen here, by which this libssh2 shows that it would
  /// have shown a status too.
  var hasSeenClose = false
  /// Whether an opened private key is to be kept; see ``OpenedKey``.
  let collectsKey: Bool
  var openedKey: SecretBytes?

  init(collectsKey: Bool = false) { self.collectsKey = collectsKey }

  // MARK: Questions

  /// The signature that libssh2 waits for; see ``SessionHandle/authenticate(user:blob:)``.
  var signature = SignatureExchange.none
  /// Answers a round of keyboard-interactive; nil gives the attempt up.
  var answerPrompts: ((InteractiveRound) -> [SecretBytes]?)?
  /// Channels that the server has opened to reach the forwarded agent.
  var agentChannels: [OpaquePointer] = unsafe []

  /// The two sides of a signature: libssh2 asks in the middle of a call, and is told to try again
  /// until the answer is there.
  ///
  /// So nothing ever blocks inside a callback.
  enum SignatureExchange {
    case none
    case wanted([UInt8])
    case ready([UInt8])
    case refused
  }

  /// A refusal of the server's (RFC 4252 §5.1).
  struct Refusal: Equatable {
    /// The methods that may continue.
    var methods: [String]
    /// The attempt was right, and is one of several factors.
    var isPartial: Bool
  }
}

/// One round of questions of keyboard-interactive, as the server worded them.
struct InteractiveRound {
  var name: String
  var instruction: String
  var prompts: [(text: String, echo: Bool)]
}

extension SessionContext {
  /// The box behind libssh2's `abstract`.
  @unsafe static func from(_ abstract: UnsafeMutablePointer<UnsafeMutableRawPointer?>?)
    -> SessionContext?
  {
    guard let box = unsafe abstract?.pointee?.assumingMemoryBound(to: clibssh2_context.self),
      let owner = unsafe box.pointee.owner
    else { return nil }
    return unsafe Unmanaged<SessionContext>.fromOpaque(owner).takeUnretainedValue()
  }

  /// A test has held back what could have gone: it goes next time, so nobody may sleep.
  var isStalled: Bool {
    receiveLimit != nil && !incoming.isEmpty || sendLimit != nil && !outgoing.isEmpty
  }

  @unsafe func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    if isDead { return -Int(ECONNRESET) }
    if incoming.isEmpty { return showsEnd ? 0 : -Int(EAGAIN) }
    var length = buffer.count
    if let receiveLimit {
      length = min(length, receiveLimit())
      if length <= 0 { return -Int(EAGAIN) }
    }
    let taken = unsafe incoming.take(
      into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]))
    takenCount += taken
    return taken
  }
}

extension SessionContext {
  /// Takes from memory that libssh2 gives back what it tells nobody.
  ///
  /// The server chose these bytes; it gains nothing by making others look like them, for it may
  /// send the real ones.
  func heard(_ bytes: some Collection<UInt8>) {
    if collectsKey, openedKey == nil, let key = OpenedKey.copy(from: bytes) {
      openedKey = key
      return
    }
    var reader = WireReader(bytes.prefix(16 << 10))
    switch reader.byte() {
    case UInt8(CLIBSSH2_KEX_REPLY), UInt8(CLIBSSH2_KEX_GEX_REPLY):
      // The server's key, its half of the secret, its signature; a group has the same number.
      guard let key = reader.string(), reader.string() != nil, let signature = reader.string(),
        exchangeSignatures.count < 4
      else { return }
      exchangeSignatures.append((key, signature))
    case UInt8(CLIBSSH2_USERAUTH_FAILURE):
      guard let list = reader.text(), let isPartial = reader.byte() else { return }
      refusal = Refusal(
        methods: printable(list, limit: 500).split(separator: ",").map(String.init),
        isPartial: isPartial != 0)
    case UInt8(CLIBSSH2_EXT_INFO):
      guard let count = reader.uint32(), count <= 16 else { return }
      for _ in 0..<count {
        guard let name = reader.text(), let value = reader.text() else { return }
        guard name == "server-sig-algs" else { continue }
        serverSignatureAlgorithms = printable(value, limit: 2000).split(separator: ",")
          .map(String.init)
      }
    case UInt8(CLIBSSH2_CHANNEL_CLOSE): hasSeenClose = true
    case UInt8(CLIBSSH2_CHANNEL_REQUEST):
      guard reader.uint32() != nil, reader.text() == "exit-status" else { return }
      hasExitStatus = true
    default: break
    }
  }
}

let releasedCallback: clibssh2_released = { owner, bytes, length in
  guard let owner = unsafe owner, let bytes = unsafe bytes else { return }
  let context = unsafe Unmanaged<SessionContext>.fromOpaque(owner).takeUnretainedValue()
  unsafe context.heard(UnsafeBufferPointer(start: bytes, count: length))
}

let receiveCallback: clibssh2_recv = { _, buffer, length, _, abstract in
  guard let context = unsafe SessionContext.from(abstract), let buffer = unsafe buffer else {
    return -Int(ECONNRESET)
  }
  return unsafe context.receive(into: UnsafeMutableRawBufferPointer(start: buffer, count: length))
}

let sendCallback: clibssh2_send = { _, buffer, length, _, abstract in
  guard let context = unsafe SessionContext.from(abstract), let buffer = unsafe buffer else {
    return -Int(ECONNRESET)
  }
  if !context.isDead {
    unsafe context.outgoing.append(UnsafeRawBufferPointer(start: buffer, count: length))
  }
  return length
}

let disconnectCallback: clibssh2_disconnect = { _, reason, message, length, _, _, abstract in
  guard let context = unsafe SessionContext.from(abstract) else { return }
  var text = ""
  if let message = unsafe message, length > 0 {
    let bytes = unsafe UnsafeRawBufferPointer(start: message, count: Int(length))
    text = unsafe printable(String(decoding: bytes, as: UTF8.self), limit: 500)
  }
  context.disconnect = (Int(reason), text)
}

let agentOpenCallback: clibssh2_agent_open = { _, channel, abstract in
  guard let context = unsafe SessionContext.from(abstract), let channel = unsafe channel else {
    return
  }
  unsafe context.agentChannels.append(channel)
}
