import CLibSSH2
import Platform

extension SessionHandle {
  /// The error of a request that the server refused, as opposed to a broken connection.
  static let requestDenied = Int(LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)
  /// The error of a channel that the server would not open.
  static let channelRefused = Int(LIBSSH2_ERROR_CHANNEL_FAILURE)

  /// Starts or continues opening a session channel.
  ///
  /// libssh2 opens one channel at a time: until this is ready or failed, no other channel may be
  /// opened.
  mutating func openSession(window: UInt32) -> Step<ChannelID> {
    let type = "session"
    return unsafe opened(
      libssh2_channel_open_ex(
        pointer, type, UInt32(type.utf8.count), window, UInt32(LIBSSH2_CHANNEL_PACKET_DEFAULT),
        nil, 0))
  }

  /// The same, for a connection that the server makes to `host` and `port`.
  mutating func openForward(
    to host: String, port: Int, from source: String, sourcePort: Int, window: UInt32
  ) -> Step<ChannelID> {
    // libssh2_channel_direct_tcpip_ex has a fixed window of 2 MiB, so the request is made here.
    var message = WireWriter()
    message.string(host)
    message.uint32(UInt32(clamping: port))
    message.string(source)
    message.uint32(UInt32(clamping: sourcePort))
    return open("direct-tcpip", message.bytes, window: window)
  }

  /// The same, for a Unix socket on the server's side.
  mutating func openForward(toSocket path: String, window: UInt32) -> Step<ChannelID> {
    var message = WireWriter()
    message.string(path)
    message.string("")
    message.uint32(0)
    return open("direct-streamlocal@openssh.com", message.bytes, window: window)
  }

  /// Opens what no server knows: refused in any case, and everything that waits is read on the way.
  mutating func openUnknown() -> Step<ChannelID> { open("idle@jitconnect", [], window: 1 << 15) }

  private mutating func open(
    _ type: String, _ message: [UInt8], window: UInt32
  ) -> Step<ChannelID> {
    let channel = unsafe message.withUnsafeBytes { bytes in
      unsafe libssh2_channel_open_ex(
        pointer, type, UInt32(type.utf8.count), window, UInt32(LIBSSH2_CHANNEL_PACKET_DEFAULT),
        bytes.baseAddress?.assumingMemoryBound(to: CChar.self), UInt32(bytes.count))
    }
    return unsafe opened(channel)
  }

  @unsafe private mutating func opened(_ channel: OpaquePointer?) -> Step<ChannelID> {
    if let channel = unsafe channel { return .ready(unsafe register(channel)) }
    let code = unsafe libssh2_session_last_errno(pointer)
    return code == LIBSSH2_ERROR_EAGAIN ? .wouldBlock : .failed(lastError(Int(code)))
  }

  func setEnvironment(_ channel: ChannelID, name: String, value: String) -> Step<Void> {
    guard let channel = unsafe channels[channel] else { return Self.noChannel() }
    return step(
      unsafe libssh2_channel_setenv_ex(
        channel, name, UInt32(clamping: name.utf8.count), value,
        UInt32(clamping: value.utf8.count)))
  }

  func requestTerminal(
    _ channel: ChannelID, term: String, modes: [UInt8], size: TerminalSize
  ) -> Step<Void> {
    guard let channel = unsafe channels[channel] else { return Self.noChannel() }
    return step(
      unsafe modes.withUnsafeBytes { modes in
        unsafe libssh2_channel_request_pty_ex(
          channel, term, UInt32(clamping: term.utf8.count),
          modes.baseAddress?.assumingMemoryBound(to: CChar.self), UInt32(modes.count),
          Int32(size.columns), Int32(size.rows), Int32(size.width), Int32(size.height))
      })
  }

  func resize(_ channel: ChannelID, to size: TerminalSize) -> Step<Void> {
    guard let channel = unsafe channels[channel] else { return Self.noChannel() }
    return step(
      unsafe libssh2_channel_request_pty_size_ex(
        channel, Int32(size.columns), Int32(size.rows), Int32(size.width), Int32(size.height)))
  }

  func requestAgentForwarding(_ channel: ChannelID) -> Step<Void> {
    guard let channel = unsafe channels[channel] else { return Self.noChannel() }
    return step(unsafe libssh2_channel_request_auth_agent(channel))
  }

  /// Asks for `shell`, `exec` or `subsystem`.
  func start(_ channel: ChannelID, request: String, argument: [UInt8]?) -> Step<Void> {
    guard let channel = unsafe channels[channel] else { return Self.noChannel() }
    let length = UInt32(request.utf8.count)
    guard let argument else {
      return step(unsafe libssh2_channel_process_startup(channel, request, length, nil, 0))
    }
    return step(
      unsafe (argument + [0]).withUnsafeBytes { bytes in
        unsafe libssh2_channel_process_startup(
          channel, request, length, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
          UInt32(clamping: argument.count))
      })
  }

  // MARK: Data

  /// Reads what has come on a stream (0, or 1 for standard error) into `buffer`, never nothing.
  ///
  /// When it would block, every whole packet that had come has been taken in.
  func read(
    _ id: ChannelID, stream: Int32, into buffer: inout [UInt8]
  ) -> Step<Int> {
    unsafe buffer.withUnsafeMutableBytes { unsafe read(id, stream, into: $0) }
  }

  /// Takes in what has come for any channel, without reading it.
  func drain(_ id: ChannelID) -> Step<Int> {
    unsafe withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { bytes in
      unsafe read(id, 0, into: UnsafeMutableRawBufferPointer(start: bytes.baseAddress, count: 0))
    }
  }

  private func read(
    _ id: ChannelID, _ stream: Int32, into buffer: UnsafeMutableRawBufferPointer
  ) -> Step<Int> {
    guard let channel = unsafe channels[id] else { return Self.noChannel() }
    while true {
      let count = unsafe libssh2_channel_read_ex(
        channel, stream, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
      guard count == 0 else { return counted(count) }
      // The end, or a key exchange that has just been finished, with packets still to look at in
      // libssh2's own buffer: poll knows nothing of those.
      if unsafe peerHasSentEnd(channel) { return .wouldBlock }
    }
  }

  /// Whether the peer's end has come, read or not.
  @unsafe private func peerHasSentEnd(_ channel: OpaquePointer) -> Bool {
    // This refuses as invalid while the end has not come, before it does anything else.
    unsafe libssh2_channel_wait_closed(channel) != LIBSSH2_ERROR_INVAL
  }

  /// Writes some of the bytes: as many as one packet and the peer's window take.
  func write(_ channel: ChannelID, _ bytes: UnsafeRawBufferPointer) -> Step<Int> {
    guard let channel = unsafe channels[channel] else { return Self.noChannel() }
    return counted(
      unsafe libssh2_channel_write_ex(
        channel, 0, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count))
  }

  private func counted(_ count: Int) -> Step<Int> {
    if count == Int(LIBSSH2_ERROR_EAGAIN) { return .wouldBlock }
    return count < 0 ? .failed(lastError(count)) : .ready(count)
  }

  /// How much the peer still takes.
  func writeWindow(_ channel: ChannelID) -> Int {
    guard let channel = unsafe channels[channel] else { return 0 }
    return Int(unsafe libssh2_channel_window_write_ex(channel, nil))
  }

  /// How much has come for the channel and not been read.
  func unreadCount(_ channel: ChannelID) -> Int {
    guard let channel = unsafe channels[channel] else { return 0 }
    var available: UInt = 0
    _ = unsafe libssh2_channel_window_read_ex(channel, &available, nil)
    return Int(clamping: available)
  }

  func sendEnd(_ channel: ChannelID) -> Step<Void> {
    guard let channel = unsafe channels[channel] else { return Self.noChannel() }
    return step(unsafe libssh2_channel_send_eof(channel))
  }

  /// Whether the peer's side has ended and every stream of it has been read.
  func hasEnded(_ channel: ChannelID) -> Bool {
    guard let channel = unsafe channels[channel] else { return true }
    return unsafe libssh2_channel_eof(channel) == 1
  }

  /// Whether the peer has closed the channel in due form.
  ///
  /// Only after ``hasEnded(_:)``.
  func isClosedByPeer(_ channel: ChannelID) -> Step<Void> {
    guard let channel = unsafe channels[channel] else { return Self.noChannel() }
    return step(unsafe libssh2_channel_wait_closed(channel))
  }

  /// Closes the channel and forgets it once the peer has confirmed.
  mutating func close(_ id: ChannelID) -> Step<Void> {
    guard let channel = unsafe channels[id] else { return .ready(()) }
    let code = unsafe libssh2_channel_free(channel)
    if code == LIBSSH2_ERROR_EAGAIN { return .wouldBlock }
    unsafe channels[id] = nil
    return step(code)
  }

  /// The remote command's status.
  ///
  /// Zero also when none was sent: see ``isClosedByPeer(_:)``.
  func exitStatus(_ channel: ChannelID) -> Int32 {
    guard let channel = unsafe channels[channel] else { return 255 }
    return unsafe libssh2_channel_get_exit_status(channel)
  }

  /// The signal that ended the remote command, without "SIG".
  func exitSignal(_ channel: ChannelID) -> String? {
    guard let channel = unsafe channels[channel] else { return nil }
    var name: UnsafeMutablePointer<CChar>?
    var length = 0
    let code = unsafe libssh2_channel_get_exit_signal(
      channel, &name, &length, nil, nil, nil, nil)
    guard code == 0, let name = unsafe name else { return nil }
    defer { unsafe libssh2_free(pointer, name) }
    let bytes = unsafe UnsafeRawBufferPointer(start: name, count: length)
    return unsafe printable(String(decoding: bytes, as: UTF8.self), limit: 50)
  }

  // MARK: Forwarding from the server

  /// Asks the server to listen; `port` 0 lets it choose.
  mutating func listen(host: String, port: Int) -> Step<(listener: Int, port: Int)> {
    var bound: Int32 = 0
    let listener = unsafe libssh2_channel_forward_listen_ex(
      pointer, host, Int32(clamping: port), &bound, 256)
    guard let listener = unsafe listener else {
      let code = unsafe libssh2_session_last_errno(pointer)
      return code == LIBSSH2_ERROR_EAGAIN ? .wouldBlock : .failed(lastError(Int(code)))
    }
    let number = unsafe listeners.count
    unsafe listeners[number] = unsafe listener
    return .ready((number, Int(bound)))
  }

  /// A connection that came to a listener, if one waits.
  mutating func accept(_ listener: Int) -> Step<ChannelID> {
    guard let listener = unsafe listeners[listener] else { return Self.noChannel() }
    return unsafe opened(libssh2_channel_forward_accept(listener))
  }

  /// Channels to the agent that the server has opened since the last call.
  mutating func takeAgentChannels() -> [ChannelID] {
    let opened = unsafe context.agentChannels
    if unsafe opened.isEmpty { return [] }
    unsafe context.agentChannels = []
    var ids: [ChannelID] = []
    for index in unsafe opened.indices { ids.append(unsafe register(opened[index])) }
    return ids
  }

  func allowAgentForwarding() -> Bool {
    unsafe clibssh2_set_agent_open(pointer, agentOpenCallback) == 0
  }

  private static func noChannel<Value>() -> Step<Value> {
    .failed(LibraryError(code: Int(LIBSSH2_ERROR_CHANNEL_CLOSED), message: "no such channel"))
  }
}
