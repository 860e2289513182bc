import CCurl
import Platform
import Synchronization

/// HTTP through libcurl: one thread with one multi handle, started by the first request.
///
/// Connections are kept and shared between requests. Cancelling the task that awaits a request
/// ends the transfer.
package final class HTTPClient: HTTPTransport {
  private let certificates: CertificateSource
  private let inbox = Inbox()
  private let nextID = Atomic<Int>(0)

  package init(certificates: CertificateSource) { self.certificates = certificates }

  deinit { inbox.post(.stop) }

  package func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
    let id = nextID.add(1, ordering: .relaxed).newValue
    let result: Result<HTTPResponse, HTTPError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        inbox.post(
          .start(id: id, request, certificates) { result in continuation.resume(returning: result) }
        )
        // A cancellation that came before the start found nothing to cancel.
        if Task.isCancelled { inbox.post(.cancel(id: id)) }
      }
    } onCancel: {
      inbox.post(.cancel(id: id))
    }
    return try result.get()
  }
}

/// What other threads ask of the transfer thread.
private enum Order: Sendable {
  case start(
    id: Int, HTTPRequest, CertificateSource,
    finish: @Sendable (Result<HTTPResponse, HTTPError>) -> Void)
  case cancel(id: Int)
  case stop
}

/// The orders not yet taken, and the thread that takes them.
private final class Inbox: Sendable {
  private struct State {
    var orders: [Order] = []
    var multi: MultiHandle?
  }

  private let state = Mutex(State())

  func post(_ order: Order) {
    let refused = state.withLock { state -> Bool in
      if let multi = state.multi {
        state.orders.append(order)
        multi.wakeUp()
        return false
      }
      guard case .start = order else { return false }
      guard let multi = MultiHandle() else { return true }
      state.orders.append(order)
      state.multi = multi
      startThread { [self] in TransferLoop(multi: multi, inbox: self).run() }
      return false
    }
    if refused, case .start(_, _, _, let finish) = order {
      finish(.failure(HTTPError(.outOfMemory, "libcurl did not start")))
    }
  }

  func takeAll() -> [Order] {
    state.withLock { state in
      defer { state.orders = [] }
      return state.orders
    }
  }

  /// Ends the use of the multi handle by other threads before it is freed.
  func close() { state.withLock { $0.multi = nil } }
}

/// The pointer of a multi handle. Only `curl_multi_wakeup` may be called from other threads, and
/// only that is; the inbox's lock keeps it from meeting the handle's end.
@safe private struct MultiHandle: @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer

  init?() {
    guard curlIsReady, let pointer = unsafe curl_multi_init() else { return nil }
    unsafe self.pointer = pointer
  }

  func wakeUp() { _ = unsafe curl_multi_wakeup(pointer) }
}

/// Runs on the transfer thread and owns every transfer.
private struct TransferLoop {
  let multi: MultiHandle
  let inbox: Inbox

  func run() {
    var transfers: [Int: Transfer] = [:]
    var isStopping = false
    while !isStopping || !transfers.isEmpty {
      for order in inbox.takeAll() {
        switch order {
        case .start(let id, let request, let certificates, let finish):
          start(id, request, certificates, finish, &transfers)
        case .cancel(let id):
          if let transfer = transfers.removeValue(forKey: id) {
            unsafe curl_multi_remove_handle(multi.pointer, transfer.easy)
            transfer.finish(.failure(HTTPError(.cancelled, "cancelled")))
          }
        case .stop:
          isStopping = true
        }
      }
      var running: Int32 = 0
      _ = unsafe curl_multi_perform(multi.pointer, &running)
      finishDone(&transfers)
      if !isStopping || !transfers.isEmpty {
        _ = unsafe curl_multi_poll(multi.pointer, nil, 0, 60_000, nil)
      }
    }
    inbox.close()
    _ = unsafe curl_multi_cleanup(multi.pointer)
  }

  private func start(
    _ id: Int, _ request: HTTPRequest, _ certificates: CertificateSource,
    _ finish: @escaping @Sendable (Result<HTTPResponse, HTTPError>) -> Void,
    _ transfers: inout [Int: Transfer]
  ) {
    do throws(HTTPError) {
      let transfer = try Transfer(request, certificates: certificates, finish: finish)
      guard unsafe curl_multi_add_handle(multi.pointer, transfer.easy) == CURLM_OK else {
        throw HTTPError(.outOfMemory, "libcurl took no further transfer")
      }
      transfers[id] = transfer
    } catch {
      finish(.failure(error))
    }
  }

  private func finishDone(_ transfers: inout [Int: Transfer]) {
    var left: Int32 = 0
    while let message = unsafe curl_multi_info_read(multi.pointer, &left) {
      guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
      let easy = unsafe message.pointee.easy_handle
      let result = unsafe ccurl_message_result(message)
      guard let id = transfers.first(where: { unsafe $0.value.easy == easy })?.key,
        let transfer = transfers.removeValue(forKey: id)
      else { continue }
      unsafe curl_multi_remove_handle(multi.pointer, transfer.easy)
      transfer.complete(result)
    }
  }
}
