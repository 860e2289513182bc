import Platform

/// Takes a secret out of both places that may keep it: the second although the first refuses.
///
/// - Throws: the first failure, after both have been tried.
func doBoth(
  _ first: () async throws(Failure) -> Void, and second: () async throws(Failure) -> Void
) async throws(Failure) {
  let results = [await outcome(first), await outcome(second)]
  for result in results { try result.get() }
}

/// Changes a file of ours so that it no longer holds something.
///
/// - Throws: `file-unwritable`, with what is left behind.
func removing(
  _ what: String, _ path: String, _ change: @escaping @Sendable () throws -> Void
) async throws(Failure) {
  do {
    try await Blocking.run(change)
  } catch {
    throw Failure(
      .fileUnwritable, what: "\(what) cannot be removed", why: "\(path): \(error)",
      next: "make the folder writable, or remove the file yourself")
  }
}
