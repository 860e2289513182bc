import COpenSSL
import Platform
import Testing

/// The key stream made ahead (CCounterMode) against libcrypto's own counter mode: calls of this test
/// binary go where libssh2's go, and `EVP_EncryptUpdate` is never taken over.
@Suite("AES in counter mode, many blocks at a time")
struct CounterModeTests {
  @Test(
    "any cut of the data gives libcrypto's bytes, over the counter's end too",
    arguments: ["aes-128-ctr", "aes-192-ctr", "aes-256-ctr"])
  func sameBytes(_ name: String) throws {
    let cipher = try unsafe #require(unsafe EVP_get_cipherbyname(name))
    let context = try Context()
    var random = SystemRandomNumberGenerator()
    // Twice on one context: the second key must not see the first one's stream.
    for _ in 0..<2 {
      let key = (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
      // Low counters run over in the middle of the data.
      let counter = [UInt8](repeating: 0xff, count: 15) + [UInt8.random(in: 0xf0...0xff)]
      let plain = (0..<50_000).map { _ in UInt8.random(in: 0...255, using: &random) }
      let expected = try unsafe encryptWhole(plain, cipher, key: key, counter: counter)

      try #require(unsafe EVP_CipherInit(context.pointer, cipher, key, counter, 1) == 1)
      var done: [UInt8] = []
      while done.count < plain.count {
        // Mostly what libssh2 asks for, at times anything.
        let wanted = Bool.random() ? 16 : Int.random(in: 1...9_000)
        var piece = Array(plain[done.count...].prefix(wanted))
        let count = UInt32(piece.count)
        let result = unsafe piece.withUnsafeMutableBufferPointer { bytes in
          unsafe EVP_Cipher(context.pointer, bytes.baseAddress, bytes.baseAddress, count)
        }
        try #require(result == Int32(count))
        done += piece
      }
      #expect(done == expected)
    }
  }

  @Test("other ciphers are passed on")
  func otherCipher() throws {
    let context = try Context()
    let key = [UInt8](repeating: 7, count: 32)
    try #require(unsafe EVP_CipherInit(context.pointer, EVP_aes_128_cbc(), key, key, 1) == 1)
    var block = [UInt8](repeating: 0, count: 16)
    let result = unsafe block.withUnsafeMutableBufferPointer { bytes in
      unsafe EVP_Cipher(context.pointer, bytes.baseAddress, bytes.baseAddress, 16)
    }
    #expect(result == 16)
    let expected = try unsafe encryptWhole(
      [UInt8](repeating: 0, count: 16), EVP_aes_128_cbc(), key: key, counter: key)
    #expect(block == expected)
  }

  private func encryptWhole(
    _ plain: [UInt8], _ cipher: OpaquePointer?, key: [UInt8], counter: [UInt8]
  ) throws -> [UInt8] {
    let context = try Context()
    try #require(unsafe EVP_EncryptInit_ex(context.pointer, cipher, nil, key, counter) == 1)
    var out = [UInt8](repeating: 0, count: plain.count + 32)
    var count: Int32 = 0
    try #require(
      unsafe EVP_EncryptUpdate(context.pointer, &out, &count, plain, Int32(plain.count)) == 1)
    return Array(out.prefix(Int(count)))
  }

  @safe private final class Context {
    let pointer: OpaquePointer

    init() throws { unsafe pointer = try #require(unsafe EVP_CIPHER_CTX_new()) }
    deinit { unsafe EVP_CIPHER_CTX_free(pointer) }
  }
}
