/// Every code that is printed. They are part of the program's interface: scripts read them.
/// How a code becomes an exit status stands in one place, `ExitStatus` of JITConnectCommands.
extension Failure.Code {
  // The command line and the settings
  package static let usage = Self("usage")
  package static let configInvalid = Self("config-invalid")
  package static let settingInvalid = Self("setting-invalid")
  package static let interrupted = Self("interrupted")
  package static let declined = Self("declined")

  // Sign-in
  package static let signInNeeded = Self("sign-in-needed")
  package static let signInRefused = Self("sign-in-refused")
  package static let cloudUnknown = Self("cloud-unknown")
  package static let tokenStoreUnavailable = Self("token-store-unavailable")

  // Logins by Entra ID
  package static let entraExtensionMissing = Self("entra-extension-missing")
  package static let entraCertificateRefused = Self("entra-certificate-refused")
  package static let entraLoginRefused = Self("entra-login-refused")

  // Azure
  package static let vmNotFound = Self("vm-not-found")
  package static let vmAmbiguous = Self("vm-ambiguous")
  package static let vmNotRunning = Self("vm-not-running")
  package static let vmStartFailed = Self("vm-start-failed")
  package static let vmUnsupported = Self("vm-unsupported")
  package static let noPublicAddress = Self("no-public-address")
  package static let noPrivateAddress = Self("no-private-address")
  package static let notPermitted = Self("not-permitted")
  package static let azureRefused = Self("azure-refused")
  package static let azureUnavailable = Self("azure-unavailable")
  package static let azureThrottled = Self("azure-throttled")
  package static let azureAnswerInvalid = Self("azure-answer-invalid")
  package static let notFound = Self("not-found")
  package static let networkFailed = Self("network-failed")

  // Just-in-time access
  package static let jitNotEnabled = Self("jit-not-enabled")
  package static let jitEnableFailed = Self("jit-enable-failed")
  package static let defenderPlanMissing = Self("defender-plan-missing")
  package static let policyForbidsPort = Self("policy-forbids-port")
  package static let policyForbidsSource = Self("policy-forbids-source")
  package static let policyForbidsDuration = Self("policy-forbids-duration")
  package static let policyForbidsRequest = Self("policy-forbids-request")
  package static let addressUnclear = Self("address-unclear")
  package static let addressNotIPv4 = Self("address-not-ipv4")
  package static let sourceTooWide = Self("source-too-wide")
  package static let policyInvalid = Self("policy-invalid")
  package static let policyChanged = Self("policy-changed")
  package static let portStillOpen = Self("port-still-open")
  package static let windowRefused = Self("window-refused")
  package static let windowTimeout = Self("window-timeout")
  package static let windowVanished = Self("window-vanished")
  package static let windowNotClosed = Self("window-not-closed")

  // SSH
  package static let hostUnreachable = Self("host-unreachable")
  package static let connectionLost = Self("connection-lost")
  package static let hostKeyUnknown = Self("host-key-unknown")
  package static let hostKeyChanged = Self("host-key-changed")
  package static let hostKeyRevoked = Self("host-key-revoked")
  package static let authenticationFailed = Self("authentication-failed")
  package static let keyUnusable = Self("key-unusable")
  package static let protocolFailed = Self("protocol-failed")
  package static let forwardingFailed = Self("forwarding-failed")
  package static let notBuiltIn = Self("not-built-in")

  // RDP
  package static let rdpSigningFailed = Self("rdp-signing-failed")
  package static let rdpCertificateChanged = Self("rdp-certificate-changed")
  package static let rdpClientMissing = Self("rdp-client-missing")
  package static let rdpPinsUnreadable = Self("rdp-pins-unreadable")

  // Files and processes
  package static let fileUnwritable = Self("file-unwritable")
  package static let programFailed = Self("program-failed")
  package static let systemFailed = Self("system-failed")
}
