import Platform

/// How a failure becomes the process's exit status: the one place.
enum ExitStatus {
  /// In the place of ssh every failure of ours is 255; any other status is the remote command's.
  static let ssh: Int32 = 255

  static let usage: Int32 = 64
  static let interrupted: Int32 = 130

  /// The status where several things were asked for: 0 without a failure, the failures' own where
  /// all have the same, else 1.
  static func common(to failures: [Failure]) -> Int32 {
    let statuses = Set(failures.map { ofVerb($0.code) })
    guard let only = statuses.first else { return 0 }
    return statuses.count == 1 ? only : 1
  }

  /// The status of a verb that ended with this failure.
  static func ofVerb(_ code: Failure.Code) -> Int32 {
    switch code {
    case .vmNotFound, .vmAmbiguous, .notFound, .rdpClientMissing: 3
    case .signInNeeded, .signInRefused: 4
    case .notPermitted: 5
    case .jitNotEnabled, .defenderPlanMissing, .vmUnsupported: 6
    case .windowTimeout: 7
    case .usage, .configInvalid, .settingInvalid: usage
    case .interrupted: interrupted
    default: 1
    }
  }
}
