/// What a SOCKS client asks for (4, 4a, and 5 without authentication: RFC 1928).
struct SocksRequest: Equatable {
  enum Progress: Equatable {
    /// More bytes are needed; `answer` is to be sent first.
    case needsMore(answer: [UInt8])
    /// `used` bytes were the request.
    case connect(SocksRequest, used: Int, answer: [UInt8])
    case refuse(answer: [UInt8])
  }

  var version: UInt8
  var host: String
  var port: Int

  /// Longer than any request that makes sense.
  static let limit = 1024

  /// Reads a request from the start of what a client has sent so far.
  ///
  /// - Parameter hasGreeted: whether the greeting of SOCKS 5 has been answered; its bytes are still
  ///   at the front.
  static func parse(_ bytes: [UInt8], hasGreeted: Bool) -> Progress {
    switch bytes.first {
    case nil: .needsMore(answer: [])
    case 4: parse4(bytes)
    case 5: parse5(bytes, hasGreeted: hasGreeted)
    default: .refuse(answer: [])
    }
  }

  private static func parse4(_ bytes: [UInt8]) -> Progress {
    guard bytes.count > 8, let userEnd = bytes[8...].firstIndex(of: 0) else {
      return bytes.count > limit ? .refuse(answer: refused4) : .needsMore(answer: [])
    }
    guard bytes[1] == 1 else { return .refuse(answer: refused4) }
    let port = Int(bytes[2]) << 8 | Int(bytes[3])
    let address = bytes[4..<8]
    // 4a: an address 0.0.0.x means that the name follows.
    guard address.prefix(3).allSatisfy({ $0 == 0 }), address[7] != 0 else {
      let host = address.map(String.init).joined(separator: ".")
      return .connect(
        SocksRequest(version: 4, host: host, port: port), used: userEnd + 1, answer: [])
    }
    guard let nameEnd = bytes[(userEnd + 1)...].firstIndex(of: 0) else {
      return bytes.count > limit ? .refuse(answer: refused4) : .needsMore(answer: [])
    }
    guard let host = name(bytes[(userEnd + 1)..<nameEnd]) else { return .refuse(answer: refused4) }
    return .connect(
      SocksRequest(version: 4, host: host, port: port), used: nameEnd + 1, answer: [])
  }

  private static func parse5(_ bytes: [UInt8], hasGreeted: Bool) -> Progress {
    guard bytes.count >= 2, bytes.count >= 2 + Int(bytes[1]) else { return .needsMore(answer: []) }
    let greetingEnd = 2 + Int(bytes[1])
    guard bytes[2..<greetingEnd].contains(0) else { return .refuse(answer: [5, 0xFF]) }
    let answer: [UInt8] = hasGreeted ? [] : [5, 0]
    let request = Array(bytes[greetingEnd...])
    guard request.count >= 5 else { return .needsMore(answer: answer) }
    guard request[0] == 5 else { return .refuse(answer: answer) }
    let length: Int
    switch request[3] {
    case 1: length = 4
    case 3: length = 1 + Int(request[4])
    case 4: length = 16
    default: return .refuse(answer: answer + failed5(8))
    }
    guard request.count >= 4 + length + 2 else { return .needsMore(answer: answer) }
    guard request[1] == 1 else { return .refuse(answer: answer + failed5(7)) }
    let address = request[4..<(4 + length)]
    let host: String?
    switch request[3] {
    case 1: host = address.map(String.init).joined(separator: ".")
    case 3: host = name(address.dropFirst())
    default: host = text(ofIPv6: Array(address))
    }
    guard let host else { return .refuse(answer: answer + failed5(1)) }
    let port = Int(request[4 + length]) << 8 | Int(request[4 + length + 1])
    return .connect(
      SocksRequest(version: 5, host: host, port: port), used: greetingEnd + 4 + length + 2,
      answer: answer)
  }

  /// The name as it is: the server looks it up, not we.
  private static func name(_ bytes: some Collection<UInt8>) -> String? {
    guard !bytes.isEmpty, bytes.count <= 255, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      return nil
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func text(ofIPv6 bytes: [UInt8]) -> String {
    stride(from: 0, to: 16, by: 2)
      .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
      .joined(separator: ":")
  }

  private static let refused4: [UInt8] = [0, 91, 0, 0, 0, 0, 0, 0]

  private static func failed5(_ code: UInt8) -> [UInt8] { [5, code, 0, 1, 0, 0, 0, 0, 0, 0] }

  /// What the client hears once the connection stands, or does not.
  func answer(succeeded: Bool) -> [UInt8] {
    switch (version, succeeded) {
    case (4, true): [0, 90, 0, 0, 0, 0, 0, 0]
    case (4, false): Self.refused4
    case (_, true): Self.failed5(0)
    case (_, false): Self.failed5(5)
    }
  }
}
