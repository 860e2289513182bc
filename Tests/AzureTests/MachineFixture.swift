@testable import Azure

/// One machine with its interface, address and subnet, as Compute and Network tell of it.
enum Fixture {
  static let group = "/subscriptions/s1/resourceGroups/RG"
  static let vm = "\(group)/providers/Microsoft.Compute/virtualMachines/Web1"
  static let network = "\(group)/providers/Microsoft.Network"
  static let nic = "\(network)/networkInterfaces/nic1"
  static let pip = "\(network)/publicIPAddresses/pip1"
  static let subnet = "\(network)/virtualNetworks/v/subnets/n"
  static let nsg = "\(network)/networkSecurityGroups/nsg1"

  static func expectMachine(_ azure: FakeAzure, status: String = "PowerState/running") {
    azure.expect(
      "GET \(Fixture.vm)",
      .json(
        """
        {"id":"\(Fixture.vm)","name":"Web1","location":"West Europe","tags":{"a":"b"},"zones":["2"],
         "resources":[{"id":"\(Fixture.vm)/extensions/AADSSHLoginForLinux"}],
         "properties":{"vmId":"BBBBBBBB-1111-2222-3333-444444444444","osProfile":{"computerName":"w","adminUsername":"adm"},
          "storageProfile":{"osDisk":{"osType":"Linux"}},
          "networkProfile":{"networkInterfaces":[{"id":"\(Fixture.nic)"}]},
          "instanceView":{"statuses":[{"code":"ProvisioningState/succeeded"},{"code":"\(status)"}]}}}
        """))
  }

  static func expectNetwork(_ azure: FakeAzure) {
    azure.expect(
      "GET \(Fixture.nic)",
      .json(
        """
        {"id":"\(Fixture.nic)","properties":{"networkSecurityGroup":{"id":"\(Fixture.nsg)"},
         "ipConfigurations":[
          {"properties":{"privateIPAddress":"fd00::4","privateIPAddressVersion":"IPv6"}},
          {"properties":{"privateIPAddress":"10.0.0.4","primary":true,
           "publicIPAddress":{"id":"\(Fixture.pip)"},"subnet":{"id":"\(Fixture.subnet)"}}}]}}
        """))
    azure.expect(
      "GET \(Fixture.pip)",
      .json(#"{"properties":{"ipAddress":"198.51.100.7","dnsSettings":{"fqdn":"f"}}}"#))
    azure.expect("GET \(Fixture.subnet)", .json(#"{"properties":{}}"#))
  }
}
