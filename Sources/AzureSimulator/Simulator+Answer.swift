import Platform
import Synchronization

/// A call's way through: the report, what goes wrong on purpose, and who answers.
extension Simulator {
  func answer(_ request: HTTPServerRequest, isLogin: Bool) -> HTTPServerResponse {
    let first = request.segments.first?.lowercased()
    if first == "simulator", !isLogin { return control(request) }
    let kind: CallReport.Kind =
      isLogin
      ? .login
      : first == "metadata"
        ? .metadata
        : first == "ip"
          ? .address : request.segments.last?.lowercased() == "resources" ? .graph : .arm
    let correlationID = world.withLock { Identifiers.guid("correlation \($0.number())") }
    let ticket = log.begin(kind, request, correlationID: correlationID)
    intercept(request)

    let (delay, fault) = world.withLock { world in
      var delay = world.behaviour.delay + (world.behaviour.delays[kind] ?? .zero)
      if kind == .address, request.segments.count == 2 {
        let name = request.segments[1]
        delay += configuration.addressServices.first { $0.name == name }?.delay ?? .zero
      }
      return (delay, world.takeFault(kind, request))
    }
    if delay > .zero { sleep(delay) }

    var identity: String?
    var response = HTTPServerResponse(status: 0)
    if fault?.replacesAnswer != true {
      response = world.withLock { world in
        _ = world.settle()
        switch kind {
        case .login: return world.login(request)
        case .metadata: return world.metadata(request)
        case .address: return world.addressService(request)
        case .arm, .graph:
          let result = world.resourceManager(request)
          identity = result.identity
          return result.response
        }
      }
      applyGates()
      try? writeAll(wake.write, [0])
    }
    if let fault { response = spoil(response, with: fault) }
    if kind == .arm || kind == .graph {
      response = dress(response, request, correlationID: correlationID)
    }
    log.complete(
      ticket, status: response.delivery == .reset ? 0 : response.status, identity: identity)
    return response
  }

  private func intercept(_ request: HTTPServerRequest) {
    let found = interceptions.withLock { list -> Interception? in
      let index = list.firstIndex {
        $0.method == request.method && request.rawPath.lowercased().contains($0.path)
      }
      return index.map { list.remove(at: $0) }
    }
    found?.action(self)
  }

  private func spoil(_ response: HTTPServerResponse, with fault: Fault) -> HTTPServerResponse {
    var response = response
    switch fault.effect {
    case .error(let status, let code, let message):
      response = AzureError(status, code, message).response
    case .answer(let status, let body, let type):
      response = HTTPServerResponse(status, text: body, type: type)
    case .page(let status):
      response = HTTPServerResponse(
        status,
        text: "<html><head><title>\(status)</title></head><body><h1>Our services aren't available "
          + "right now</h1></body></html>\r\n", type: "text/html")
    case .empty(let status): response = HTTPServerResponse(status: status)
    case .reset: response.delivery = .reset
    case .cut(let count): response.delivery = .cut(after: count)
    case .slow(let duration): sleep(duration)
    case .challenge(let claims, let generic):
      response = world.withLock { $0.claimsChallenge(claims, generic: generic) }.response
    }
    response.headers += fault.headers
    return response
  }

  /// The headers that each answer of Resource Manager has.
  private func dress(
    _ response: HTTPServerResponse, _ request: HTTPServerRequest, correlationID: String
  ) -> HTTPServerResponse {
    var response = response
    response.headers += [
      ("Cache-Control", "no-cache"), ("x-ms-correlation-request-id", correlationID),
      ("x-ms-routing-request-id", "WESTEUROPE:20260101T000000Z:\(correlationID)"),
    ]
    if response.headers.allSatisfy({ $0.name != "x-ms-request-id" }) {
      response.headers.append(("x-ms-request-id", correlationID))
    }
    if request.method == "GET" {
      response.headers.append(("x-ms-ratelimit-remaining-subscription-reads", "249"))
    }
    if let clientID = request.header("x-ms-client-request-id") {
      response.headers.append(("x-ms-client-request-id", clientID))
    }
    return response
  }

  private func sleep(_ duration: Duration) {
    _ = Socket.readable([], milliseconds: Int32(clamping: duration.ticks / 10_000))
  }
}

extension World {
  /// The first fault that this call meets.
  mutating func takeFault(_ kind: CallReport.Kind, _ request: HTTPServerRequest) -> Fault? {
    for index in faults.indices {
      let fault = faults[index]
      guard fault.kind.map({ $0 == kind }) ?? true,
        fault.method.map({ $0 == request.method }) ?? true,
        fault.path.isEmpty || request.rawPath.lowercased().contains(fault.path.lowercased())
      else { continue }
      if fault.after > 0 {
        faults[index].after -= 1
        continue
      }
      if let times = fault.times {
        if times <= 1 { faults.remove(at: index) } else { faults[index].times = times - 1 }
      }
      return fault
    }
    return nil
  }
}

extension Fault {
  /// The call is not carried out at all.
  var replacesAnswer: Bool {
    switch effect {
    case .cut, .slow: false
    case .error, .answer, .page, .empty, .reset, .challenge: !isCarriedOut
    }
  }
}
