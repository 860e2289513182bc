/// The first words that are not hosts. Frozen: a new one would hide a VM of that name.
///
/// A verb counts only as the very first argument; `jitconnect ssh list` and `jitconnect -- list`
/// reach a VM that is named like one.
enum Verb: String, CaseIterable {
  case ssh, rdp, request, close, list, status, enable, edit, disable, history, doctor, login
  case logout, whoami
  case sshConfig = "ssh-config"
}
