import Platform
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where `-v` goes: standard error, or the file of `-E`, and then nowhere else.
final class DebugLog: Sendable {
  private let file: FileDescriptor
  private let isFile: Bool
  private let level: Int

  init(file: String?, level: Int) throws(SystemError) {
    self.level = level
    isFile = file != nil
    self.file = FileDescriptor(
      owning: try valueOrSystemError {
        guard let file else {
          // A session in the background must not hold on to a stream that it never writes to.
          guard level > 0 else { return unsafe open("/dev/null", O_WRONLY | O_CLOEXEC) }
          return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        }
        return unsafe open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
      })
  }

  func write(_ level: Int, _ text: String) {
    guard level <= self.level else { return }
    // A session may have set the terminal raw, where a bare line feed leaves the column.
    writeLines(printable(text, limit: 8000) + (isFile ? "\n" : "\r\n"))
  }

  /// The same console with its words in the file.
  func console(like console: Console) -> Console {
    Console(
      programName: console.programName, inputIsTerminal: console.inputIsTerminal,
      outputIsTerminal: console.outputIsTerminal, errorIsTerminal: false,
      isQuiet: console.isQuiet, write: { [self] in writeLines($0) })
  }

  private func writeLines(_ text: String) {
    try? writeAll(file.number, text.utf8)
  }
}
