import MotionLabel
import OSLog
import SwiftUI
import UIKit

@main
struct MotionLabelApp: App {
    @StateObject private var live = Live()
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup { ContentView(live: live) }
            .onChange(of: phase) { phase in
                // iOS suspends an app in the background; recognition starts anew when it comes back.
                if phase == .active { live.start() } else { live.stop() }
            }
    }
}

struct ContentView: View {
    @ObservedObject var live: Live

    var body: some View {
        ScrollView {
            VStack(spacing: 24) {
                Text(live.label).font(.largeTitle)
                Text(live.details)
                Text(live.checks).font(.caption)
            }
            .padding()
        }
    }
}

/// Proves the model at the start, then shows what it recognises while the app is in front.
@MainActor
final class Live: ObservableObject {
    @Published private(set) var label = "testing…"
    @Published private(set) var details = ""
    @Published private(set) var checks = ""

    private let source = MotionSource()
    private let log = Logger(subsystem: "org.img2imu.phone", category: "model")
    private var proven: Proven?
    private var isLoading = false
    private var isInFront = false

    /// The model's own thread: motion events and the network run here, never on the screen's.
    private let queue: OperationQueue = {
        let queue = OperationQueue()
        queue.maxConcurrentOperationCount = 1
        return queue
    }()

    func start() {
        UIApplication.shared.isIdleTimerDisabled = true
        isInFront = true
        if let proven { return listen(to: proven) }
        if isLoading { return }
        isLoading = true
        queue.addOperation { [weak self] in
            let result = Result { try Proven.load() }
            Task { @MainActor [weak self] in self?.loaded(result) }
        }
    }

    func stop() {
        isInFront = false
        source.stop()
    }

    private func loaded(_ result: Result<Proven, any Error>) {
        do {
            let proven = try result.get()
            proven.checks.forEach { log.info("\($0.description, privacy: .public)") }
            let lines = proven.checks.map(\.description)
            checks = (["\(proven.card.name), worn at: \(proven.card.input.placement)"] + lines).joined(separator: "\n")
            guard proven.holds else { throw MotionError("self-test failed") }
            self.proven = proven
            if isInFront { listen(to: proven) }
        } catch {
            show(error)
        }
    }

    private func listen(to proven: Proven) {
        source.stop()
        guard source.isAvailable else { return show(MotionError("this phone has no motion sensors")) }
        do {
            let recogniser = try Recogniser(
                card: proven.card, network: proven.network, sensors: MotionSource.sensors)
            source.start(rate: proven.card.input.rate, queue: queue) { [weak self] time, values in
                let result = Result { try recogniser.push(sensor: 0, time: time, values: values).last }
                Task { @MainActor [weak self] in self?.show(result) }
            }
        } catch {
            show(error)
        }
    }

    private func show(_ result: Result<Decision?, any Error>) {
        switch result {
        case .success(nil): return
        case .success(let decision?):
            label = decision.label ?? decision.status.rawValue
            let percent = { (share: Double) in Int((100 * share).rounded()) }
            details = "\(percent(decision.confidence)) % sure, \(percent(decision.coverage)) % of samples"
            log.debug("\(decision.time) \(decision.status.rawValue) \(decision.label ?? "")")
        case .failure(let error): show(error)
        }
    }

    private func show(_ error: any Error) {
        source.stop()
        log.error("\(error.localizedDescription)")
        label = error.localizedDescription
    }
}
