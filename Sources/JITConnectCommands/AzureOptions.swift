import ArgumentParser

/// Which Azure is meant: where to look, in which cloud, and as whom.
struct AzureOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Where to look for the VM.", valueName: "id or name"))
  var subscription: String?

  @Option(help: ArgumentHelp("Where to look for the VM.", valueName: "name"))
  var resourceGroup: String?

  @Option(
    help: ArgumentHelp(
      "AzureCloud, AzureUSGovernment, AzureChinaCloud, or a metadata URL.", valueName: "cloud"))
  var cloud: String?

  @Option(
    help: ArgumentHelp(
      "Who signs in: an account of jitconnect login, or a credential's name.", valueName: "who"))
  var identity: String?
}
