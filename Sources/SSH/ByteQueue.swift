/// Bytes waiting in order: added at the end, taken from the front.
struct ByteQueue {
  private var storage: [UInt8] = []
  private var head = 0

  var count: Int { storage.count - head }
  var isEmpty: Bool { storage.count == head }

  mutating func append(_ bytes: some Collection<UInt8>) { storage.append(contentsOf: bytes) }

  @unsafe mutating func append(_ bytes: UnsafeRawBufferPointer) {
    unsafe storage.append(contentsOf: bytes)
  }

  /// Lends the bytes that wait, at most `limit`, without taking them.
  func withBytes<Result>(limit: Int = .max, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    unsafe storage.withUnsafeBytes { bytes in
      let end = head + min(count, limit)
      return unsafe body(UnsafeRawBufferPointer(rebasing: bytes[head..<end]))
    }
  }

  /// Takes as many bytes as are there and fit.
  @unsafe mutating func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let taken = unsafe withBytes(limit: buffer.count) { bytes in
      unsafe buffer.copyMemory(from: bytes)
      return bytes.count
    }
    drop(taken)
    return taken
  }

  /// Takes everything.
  mutating func takeAll() -> [UInt8] {
    let bytes = Array(storage[head...])
    removeAll()
    return bytes
  }

  /// Forgets the first `bytes` bytes.
  mutating func drop(_ bytes: Int) {
    head += min(bytes, count)
    if head == storage.count {
      storage.removeAll(keepingCapacity: storage.capacity <= 1 << 20)
      head = 0
    } else if head >= 1 << 16, head > storage.count / 2 {
      storage.removeFirst(head)
      head = 0
    }
  }

  mutating func removeAll() {
    storage.removeAll(keepingCapacity: false)
    head = 0
  }
}
