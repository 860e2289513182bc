import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A conversation with an ssh-agent over its socket (draft-ietf-sshm-ssh-agent).
///
/// Ours, because libssh2's cannot use RSA certificates and talks through the session's callbacks.
struct AgentClient: ~Copyable {
  struct Identity: Equatable {
    var blob: [UInt8]
    var comment: String
  }

  enum Problem: Error, Equatable {
    case system(SystemError)
    case timedOut
    /// The agent said no: locked, or its user did.
    case refused
    case answerInvalid
    case interrupted
  }

  private let socket: FileDescriptor

  /// Message numbers of the protocol.
  private enum Message {
    static let failure: UInt8 = 5
    static let success: UInt8 = 6
    static let requestIdentities: UInt8 = 11
    static let identitiesAnswer: UInt8 = 12
    static let signRequest: UInt8 = 13
    static let signResponse: UInt8 = 14
    static let addIdentity: UInt8 = 17
    static let addConstrainedIdentity: UInt8 = 25
  }

  private static let messageLimit = 256 << 10

  init(path: String, timeout: Duration = .seconds(5)) throws(Problem) {
    do throws(SystemError) {
      socket = try connectToUnixSocket(path)
    } catch {
      throw .system(error)
    }
  }

  /// Tells the agent which server is being logged in to: see ``SessionBinding``.
  func bind(_ binding: SessionBinding) throws(Problem) {
    // An agent that does not know the question says no, and has no keys that are bound.
    _ = try exchange(binding.request(isForwarding: false), timeout: .seconds(10))
  }

  /// The keys that the agent holds.
  func identities(timeout: Duration = .seconds(10)) throws(Problem) -> [Identity] {
    let answer = try exchange([Message.requestIdentities], timeout: timeout)
    var reader = WireReader(answer)
    guard reader.byte() == Message.identitiesAnswer, let count = reader.uint32(), count <= 2048
    else { throw answer.first == Message.failure ? .refused : .answerInvalid }
    var identities: [Identity] = []
    for _ in 0..<count {
      guard let blob = reader.string(), let comment = reader.text() else { throw .answerInvalid }
      identities.append(Identity(blob: blob, comment: printable(comment, limit: 200)))
    }
    return identities
  }

  /// Lets the agent sign.
  ///
  /// Its user may be asked, or may have to touch a token: hence the time.
  ///
  /// - Parameter algorithm: the signature's algorithm, by its name in the data.
  /// - Returns: what libssh2 wants of a signature: the inner string, or for keys on a token
  ///   everything after the type.
  func sign(
    _ data: [UInt8], with blob: [UInt8], algorithm: String, timeout: Duration = .seconds(115)
  ) throws(Problem) -> [UInt8] {
    var request = WireWriter()
    request.byte(Message.signRequest)
    request.string(blob)
    request.string(data)
    // Which hash an RSA key shall use; without it the agent would use SHA-1.
    let flags: UInt32 =
      algorithm.hasPrefix("rsa-sha2-512") ? 4 : algorithm.hasPrefix("rsa-sha2-256") ? 2 : 0
    request.uint32(flags)
    var answer = WireReader(try exchange(request.bytes, timeout: timeout))
    switch answer.byte() {
    case Message.signResponse: break
    case Message.failure: throw .refused
    default: throw .answerInvalid
    }
    guard let signature = answer.string() else { throw .answerInvalid }
    var parts = WireReader(signature)
    guard let type = parts.text() else { throw .answerInvalid }
    // An agent that knows no SHA-2 answers with SHA-1, which servers refuse.
    if flags != 0, !algorithm.hasPrefix(type) { throw .answerInvalid }
    if type.hasPrefix("sk-") { return parts.rest }
    guard let inner = parts.string() else { throw .answerInvalid }
    return inner
  }

  /// Gives the agent a private key.
  ///
  /// - Parameters:
  ///   - lifetime: seconds after which it forgets the key; nil is never.
  ///   - confirmsUse: whether it shall ask its user before each signature.
  func add(
    _ key: OpenedKey, comment: String, lifetime: Int?, confirmsUse: Bool,
    timeout: Duration = .seconds(10)
  ) throws(Problem) {
    // Constraints of the protocol.
    let (lifetimeConstraint, confirmConstraint): (UInt8, UInt8) = (1, 2)
    var request = WireWriter(capacity: key.fields.count + comment.utf8.count + 64)
    defer { request.overwriteAll() }
    let isConstrained = lifetime != nil || confirmsUse
    request.byte(isConstrained ? Message.addConstrainedIdentity : Message.addIdentity)
    unsafe key.fields.withBytes { for index in $0.indices { request.byte(unsafe $0[index]) } }
    request.string(comment)
    if let lifetime {
      request.byte(lifetimeConstraint)
      request.uint32(UInt32(clamping: lifetime))
    }
    if confirmsUse { request.byte(confirmConstraint) }
    let answer = try exchange(request.bytes, timeout: timeout)
    guard answer.first == Message.success else {
      throw answer.first == Message.failure ? .refused : .answerInvalid
    }
  }

  private func exchange(_ request: [UInt8], timeout: Duration) throws(Problem) -> [UInt8] {
    let deadline = ContinuousClock.now + timeout
    var framed = WireWriter(capacity: request.count + 4)
    defer { framed.overwriteAll() }
    framed.string(request)
    var sent = 0
    while sent < framed.bytes.count {
      let bytes = framed.bytes[sent...]
      let count = unsafe bytes.withUnsafeBytes {
        unsafe send(socket.number, $0.baseAddress, $0.count, sendFlags)
      }
      if count > 0 {
        sent += count
      } else if count < 0, errno == EAGAIN {
        try wait(POLLOUT, until: deadline)
      } else if count < 0, errno != EINTR {
        throw .system(.last)
      }
    }
    var header = WireReader(try read(4, until: deadline))
    guard let length = header.uint32(), length > 0, length <= UInt32(Self.messageLimit) else {
      throw .answerInvalid
    }
    return try read(Int(length), until: deadline)
  }

  private func read(_ count: Int, until deadline: ContinuousClock.Instant) throws(Problem)
    -> [UInt8]
  {
    var bytes: [UInt8] = []
    while bytes.count < count {
      do throws(SystemError) {
        let chunk = try readSome(socket.number, limit: count - bytes.count)
        if chunk.isEmpty { throw SystemError(ECONNRESET) }
        bytes += chunk
      } catch {
        guard error.number == EAGAIN else { throw .system(error) }
        try wait(POLLIN, until: deadline)
      }
    }
    return bytes
  }

  private func wait(_ events: Int32, until deadline: ContinuousClock.Instant) throws(Problem) {
    let left = deadline - .now
    guard left > .zero else { throw .timedOut }
    var polls = [
      pollfd(fd: socket.number, events: Int16(events), revents: 0),
      pollfd(fd: Signals.pipe() ?? -1, events: Int16(POLLIN), revents: 0),
    ]
    _ = unsafe poll(&polls, 2, milliseconds(left))
    if polls[1].revents != 0,
      Signals.arrived().contains(where: { [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains($0) })
    {
      throw .interrupted
    }
  }
}

extension SSHSession {
  /// Why there is no agent at that socket; nil where one listens.
  package static func agentProblem(_ path: String) -> String? {
    do throws(AgentClient.Problem) {
      _ = try AgentClient(path: path)
      return nil
    } catch {
      return "\(error)"
    }
  }
}

extension AgentClient.Problem: CustomStringConvertible {
  var description: String {
    switch self {
    case .system(let error): error.description
    case .timedOut: "no answer in time"
    case .refused: "agent refused operation"
    case .answerInvalid: "invalid answer"
    case .interrupted: "interrupted"
    }
  }
}
