import Platform

/// What the browser is shown, and what was learned from it.
enum LoopbackPage {
  /// - Parameters:
  ///   - request: nil for what was no request.
  ///   - port: ours; a name that leads here by a trick has another host field.
  ///   - state: what only the right answer can repeat.
  static func reply(
    to request: LoopbackRequest?, port: UInt16, state: String
  ) -> (page: [UInt8], answer: LoopbackReceiver.Answer?) {
    guard let request,
      ["localhost:\(port)", "127.0.0.1:\(port)", "[::1]:\(port)"].contains(request.host)
    else { return (page(400, "Bad Request", "This is no answer to a sign-in."), nil) }
    guard request.path.prefix(while: { $0 != "?" }) == "/" else {
      return (page(404, "Not Found", "There is nothing here."), nil)
    }
    guard request.method == "POST" else {
      return (
        page(
          405, "Method Not Allowed", "The sign-in is not finished.", header: "Allow: POST\r\n"), nil
      )
    }
    let fields = request.isForm ? FormFields(request.body) : FormFields([])
    guard isEqual(fields["state"] ?? "", state) else {
      return (page(400, "Bad Request", "This answer belongs to another sign-in."), nil)
    }
    if let error = fields["error"] {
      let refusal = TokenRefusal(error: error, description: fields["error_description"] ?? "")
      let text = "The sign-in failed: \(refusal.firstLine ?? printable(error, limit: 100))"
      return (page(200, "OK", text), .refusal(refusal))
    }
    guard let code = fields["code"], TokenAnswer.isToken(code) else {
      return (page(400, "Bad Request", "This answer holds no code."), nil)
    }
    return (
      page(200, "OK", "Go on in the terminal; this window can be closed."),
      .code(SecretBytes(Array(code.utf8)))
    )
  }

  private static func page(
    _ status: Int, _ reason: String, _ text: String, header: String = ""
  ) -> [UInt8] {
    let body = """
      <!doctype html><html lang="en"><head><meta charset="utf-8"><title>jitconnect</title></head>\
      <body><p>\(escaped(text))</p></body></html>

      """
    return Array(
      """
      HTTP/1.1 \(status) \(reason)\r
      Content-Type: text/html; charset=utf-8\r
      Content-Security-Policy: default-src 'none'\r
      Cache-Control: no-store\r
      \(header)Content-Length: \(body.utf8.count)\r
      Connection: close\r
      \r
      \(body)
      """.utf8)
  }

  /// The server's words as text, whatever they hold.
  static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
  }

  /// In a time that does not tell how far two texts agree.
  private static func isEqual(_ left: String, _ right: String) -> Bool {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
