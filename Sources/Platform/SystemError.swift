#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An `errno`, copied at the failing call.
package struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
  package let number: Int32

  package init(_ number: Int32) { self.number = number }

  /// The last failing call's error.
  package static var last: SystemError { SystemError(errno) }

  /// The C library's text, such as "No such file or directory".
  package var description: String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
  }
}

/// The result of a C call that answers -1 and sets `errno`; a call that a signal interrupted is
/// made again.
package func valueOrSystemError<Value: FixedWidthInteger & SignedInteger>(
  _ call: () -> Value
) throws(SystemError) -> Value {
  while true {
    let value = call()
    if value != -1 { return value }
    let number = errno
    if number != EINTR { throw SystemError(number) }
  }
}
