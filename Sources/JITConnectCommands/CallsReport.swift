import Azure

/// The calls that a dry run would make, as JSON has them.
struct CallsReport: Encodable {
  struct Call: Encodable {
    var method: String
    var url: String
    /// JSON as text, as it would be sent; absent where nothing is.
    var body: String?

    init(_ call: RESTCall) {
      method = call.method
      url = call.url
      body = call.body?.jsonText
    }
  }

  var calls: [Call]

  init(_ calls: [RESTCall]) { self.calls = calls.map(Call.init) }
}
