/// The version of each part of Azure's interface that the program speaks.
///
/// Not the newest of each: those that every cloud has rolled out (contract, section 0, second
/// column).
package struct APIVersion: Sendable, Hashable {
  package let rawValue: String

  package static let jitPolicies = APIVersion(rawValue: "2020-01-01")
  package static let pricings = APIVersion(rawValue: "2024-01-01")
  package static let securityLocations = APIVersion(rawValue: "2015-06-01-preview")
  package static let resourceGraph = APIVersion(rawValue: "2021-03-01")
  package static let compute = APIVersion(rawValue: "2024-07-01")
  package static let network = APIVersion(rawValue: "2024-05-01")
  package static let permissions = APIVersion(rawValue: "2022-04-01")
  package static let subscriptions = APIVersion(rawValue: "2022-12-01")
  package static let activityLog = APIVersion(rawValue: "2015-04-01")
}
