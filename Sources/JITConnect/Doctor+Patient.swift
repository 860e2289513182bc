import Azure
import FoundationEssentials
import Platform

extension Doctor {
  /// The machine that is looked into, as far as it is known.
  struct Patient: Sendable {
    /// Nil where nobody is signed in, or no cloud was found.
    var azure: AzureAccess?
    /// Why Azure is not asked about the machine; nil where it is.
    var refusal: Failure?
    /// Nil where it is not known which one is meant.
    var machine: VirtualMachine?
    /// Why what is known of the machine is not Azure's word of now; nil where it is.
    var gap: Failure?
    /// The policy as an earlier run saw it.
    var remembered: JITPolicy?
    /// Those that name the machine, the one that a connection goes by first.
    var policies: Result<[JITPolicy], Failure>?
    var port: Int

    init(port: Int) { self.port = port }

    /// Whom Azure can be asked about.
    var subject: (azure: AzureAccess, machine: VirtualMachine)? {
      guard refusal == nil, let azure, let machine else { return nil }
      return (azure, machine)
    }

    /// What a check says that Azure alone could answer.
    func unseen(_ check: String, _ details: [String] = []) -> Finding {
      .unseen(check, refusal ?? Failure(.vmNotFound, what: "no machine is known"), details)
    }

    mutating func take(_ list: Result<[JITPolicy], Failure>?) {
      guard let machine else { return }
      policies = list?.map {
        JITPolicies.policies(of: machine.id, location: machine.location, in: $0)
      }
    }

    /// The policies that Azure tells of.
    var known: [JITPolicy] { (try? policies?.get()) ?? [] }

    /// What a connection goes by: Azure's word, else what is remembered.
    var entry: JITPolicy.Machine? {
      guard let machine else { return nil }
      let policy = (try? policies?.get()) == nil ? remembered : known.first
      return policy?.machine(machine.id)
    }

    /// Every request on the port, whichever policy it was made by.
    var windows: [JITPolicy.Window] {
      guard let machine else { return [] }
      return known.flatMap { $0.windows(of: machine.id) }.filter { $0.port.number == port }
    }

    /// How the machine is called in a command to type.
    var shown: String {
      guard let machine else { return "" }
      return machine.resourceGroup.isEmpty
        ? machine.name : "\(machine.resourceGroup)/\(machine.name)"
    }
  }
}
