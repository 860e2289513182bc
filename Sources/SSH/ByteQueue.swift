/// Bytes waiting in order: added at the end, taken from the front.
///
/// The room is kept from one filling to the next, so that a transfer neither allocates nor clears
/// memory, and bytes are moved only where the room at the end would not do.
struct ByteQueue {
  /// The room; only `head..<tail` of it holds bytes that wait.
  private var storage: [UInt8] = []
  private var head = 0
  private var tail = 0

  /// An emptied queue gives back more room than this.
  private static let keptRoom = 1 << 20
  /// With less room than this it is worth making some.
  private static let leastRoom = 16 << 10

  var count: Int { tail - head }
  var isEmpty: Bool { tail == head }

  mutating func append(_ bytes: some Collection<UInt8>) {
    let copied: Void? = bytes.withContiguousStorageIfAvailable {
      unsafe append(UnsafeRawBufferPointer($0))
    }
    if copied == nil { append(Array(bytes)) }
  }

  @unsafe mutating func append(_ bytes: UnsafeRawBufferPointer) {
    makeRoom(bytes.count)
    let end = tail + bytes.count
    unsafe storage.withUnsafeMutableBytes { room in
      unsafe UnsafeMutableRawBufferPointer(rebasing: room[tail..<end]).copyMemory(from: bytes)
    }
    tail = end
  }

  /// Lends room for `limit` bytes behind those that wait, or for less where that would mean moving
  /// them; `body` says how many it has put there.
  @unsafe mutating func fill(
    _ limit: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int
  ) -> Int {
    if storage.count - tail < min(limit, Self.leastRoom) { makeRoom(limit) }
    let tail = self.tail
    let end = min(tail + limit, storage.count)
    let count = unsafe storage.withUnsafeMutableBytes { bytes in
      unsafe body(UnsafeMutableRawBufferPointer(rebasing: bytes[tail..<end]))
    }
    self.tail += min(max(count, 0), end - tail)
    return count
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

  /// Forgets the first `bytes` bytes.
  mutating func drop(_ bytes: Int) {
    head += min(bytes, count)
    guard head == tail else { return }
    (head, tail) = (0, 0)
    if storage.count > Self.keptRoom { storage = [] }
  }

  mutating func removeAll() {
    storage = []
    (head, tail) = (0, 0)
  }

  private mutating func makeRoom(_ room: Int) {
    guard storage.count - tail < room else { return }
    let waiting = count
    if storage.count - waiting >= room, waiting <= head {
      // The two do not overlap, and at least as much has been taken as is moved.
      let (head, tail) = (self.head, self.tail)
      unsafe storage.withUnsafeMutableBytes { bytes in
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<waiting])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[head..<tail]))
      }
    } else {
      var grown = [UInt8](repeating: 0, count: 2 * waiting + room)
      let (head, tail) = (self.head, self.tail)
      unsafe storage.withUnsafeBytes { old in
        unsafe grown.withUnsafeMutableBytes { new in
          unsafe new.copyMemory(from: UnsafeRawBufferPointer(rebasing: old[head..<tail]))
        }
      }
      storage = grown
    }
    (head, tail) = (0, waiting)
  }
}
