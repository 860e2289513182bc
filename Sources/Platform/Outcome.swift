/// Runs `body` and keeps its failure as a value, for work that goes on side by side.
package func outcome<Output: Sendable>(
  _ body: () async throws(Failure) -> Output
) async -> Result<Output, Failure> {
  do throws(Failure) {
    return .success(try await body())
  } catch {
    return .failure(error)
  }
}
