import CPlatform

/// A password, passphrase or key: overwritten when the last owner goes, never printed.
@safe package final class SecretBytes: Sendable, CustomStringConvertible {
  private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer

  /// Copies the bytes; the caller's own copy stays the caller's to overwrite.
  package init(_ bytes: some Collection<UInt8>) {
    unsafe storage = .allocate(byteCount: max(bytes.count, 1), alignment: 1)
    count = bytes.count
    for (index, byte) in bytes.enumerated() { unsafe storage[index] = byte }
  }

  /// Takes the bytes and overwrites where they came from.
  package convenience init(taking bytes: inout [UInt8]) {
    self.init(bytes)
    overwrite(&bytes)
  }

  deinit {
    if let base = unsafe storage.baseAddress { unsafe platform_zero(base, storage.count) }
    unsafe storage.deallocate()
  }

  package let count: Int

  package var isEmpty: Bool { count == 0 }

  /// Lends the bytes; the pointer must not leave the closure.
  package func withBytes<Result, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> Result
  ) throws(E) -> Result {
    try unsafe body(UnsafeRawBufferPointer(rebasing: storage[0..<count]))
  }

  /// The bytes as text, for interfaces that take nothing else. The copy is not overwritten.
  package var exposedText: String {
    unsafe withBytes { unsafe String(decoding: $0, as: UTF8.self) }
  }

  package var description: String { "(secret)" }
}

/// Overwrites and empties a buffer that held a secret.
package func overwrite(_ bytes: inout [UInt8]) {
  unsafe bytes.withUnsafeMutableBytes {
    if let base = $0.baseAddress { unsafe platform_zero(base, $0.count) }
  }
  bytes.removeAll()
}

/// No core files, and no other process of this user may read this one's memory.
package func forbidCoreDumps() { platform_forbid_core_dumps() }
