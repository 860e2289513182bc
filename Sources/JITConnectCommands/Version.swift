import SSH

/// What the program says of itself.
enum Version {
  /// `-V`, in the form that programs look for in ssh's.
  static var sshLine: String {
    "OpenSSH_9.2p1 compatible, jitconnect \(Program.version), libssh2 "
      + SSHLibrary.version
  }

  static var longText: String {
    "jitconnect \(Program.version)\nlibssh2 \(SSHLibrary.version)"
  }
}
