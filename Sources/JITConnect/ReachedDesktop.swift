import Azure
import FoundationEssentials
import Platform

/// A desktop whose port answers.
struct ReachedDesktop: Sendable {
  /// Nil for a host that is no Azure VM.
  var machine: VirtualMachine?
  var connection: AnsweringConnection
  /// When the window ends; nil where none was opened for it.
  var end: Date?
  /// The near end of a tunnel, where the client goes; nil goes to the machine itself.
  var entrance: InternetAddress?
  /// The desktop's own port, wherever the client goes.
  var port: Int
}
