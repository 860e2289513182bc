import Azure
import Platform
import SSHConfig

extension Connect {
  /// Whether another program or host carries the connection.
  var isProxied: Bool { options.proxyCommand != nil || options.proxyJump != nil }

  /// Whether nobody has said which address the VM will see: behind a proxy it is not ours.
  var lacksSource: Bool {
    if case .auto = options.jit.source { isProxied } else { false }
  }

  /// Whether the private address is the better one.
  var prefersPrivate: Bool { false }

  func requireSourceBehindProxy(_ machine: VirtualMachine) throws(Failure) {
    guard lacksSource else { return }
    throw Failure(
      .addressUnclear,
      what: "which address \(machine.name) will see behind ProxyCommand is not known",
      why: "a window is opened for the address that the connection comes from",
      next: "name it: jitconnect --source ADDRESS \(machine.name)")
  }

  /// The program that carries the connection to this address; nil where none does.
  func proxy(
    to host: String, port: Int, _ machine: VirtualMachine?
  ) throws(Failure) -> ProxyProgram? {
    guard let command = options.proxyCommand else { return nil }
    var tokens = options.tokens
    tokens.host = host
    tokens.port = port
    tokens.user = options.loginName(on: machine, world.environment)
    do throws(SSHConfigError) {
      return ProxyProgram(
        command: try tokens.expand(command, .proxyCommand), world.environment)
    } catch {
      throw Failure(.configInvalid, what: "ProxyCommand: \(error.message)")
    }
  }
}
