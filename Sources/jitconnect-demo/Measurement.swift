import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One run of a program as the system accounts for it.
struct Measurement {
  var status: Int32
  var wall: Double
  /// User and system time, in seconds.
  var cpu: Double
  /// In KiB.
  var peakMemory: Int

  struct Failed: Error, CustomStringConvertible {
    var description: String
  }

  /// Runs a program with its standard input from a file or nothing, its output to nothing.
  static func run(
    _ path: String, _ arguments: [String], environment: [String: String], input: String? = nil
  ) throws -> Measurement {
    let null = FileDescriptor(
      owning: try valueOrSystemError { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) })
    let source = FileDescriptor(
      owning: try valueOrSystemError {
        unsafe open(input ?? "/dev/null", O_RDONLY | O_CLOEXEC)
      })
    let begun = ContinuousClock.now
    let child = try ChildProcess(path: path, arguments: arguments, environment: environment)
      .start(input: source.number, output: null.number, error: null.number)
    var status: Int32 = 0
    var usage = rusage()
    while unsafe wait4(child, &status, 0, &usage) == -1 {
      guard errno == EINTR else { throw SystemError.last }
    }
    let wall = ContinuousClock.now - begun
    #if canImport(Darwin)
      let peak = Int(usage.ru_maxrss) / 1024
    #else
      let peak = Int(usage.ru_maxrss)
    #endif
    return Measurement(
      status: (status >> 8) & 0xFF,
      wall: Double(wall.components.seconds) + Double(wall.components.attoseconds) / 1e18,
      cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime), peakMemory: peak)
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1e6
  }
}

extension [Double] {
  var median: Double {
    let sorted = self.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2)
      ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}
