import CryptoKit
import Foundation

/// One thing that was checked on this device.
public struct Check: CustomStringConvertible {
    public let name: String
    public let passed: Bool
    public let detail: String

    public var description: String { "\(passed ? "ok" : "FAILED")  \(name): \(detail)" }
}

/// Compares what this device computes with `golden.json`: what Python computed when the model was exported.
public struct SelfTest {
    private struct Golden: Decodable {
        struct Window: Decodable {
            let label: String
            let logits: [Float]
            let samples: [[Float]]
        }

        struct Resampling: Decodable {
            struct Event: Decodable {
                let time: Double
                let values: [Float]
            }

            struct Point: Decodable {
                let time: Double
                let values: [Float]
                let real: Bool
                let restart: Bool
            }

            let rate: Double
            let longestGap: Double
            let events: [Event]
            let grid: [Point]
        }

        struct Step: Decodable {
            let reset: Bool
            let logits: [Float]
            let embedding: [Float]
            let label: String
            let confidence: Double
            let scores: [Double]
            let novelty: Double?
        }

        let sha256: String
        let tolerance: Double
        let windows: [Window]
        let resampling: Resampling
        let decisions: [Step]
    }

    /// What rounding may change where no network is at work.
    private static let close = 1e-5

    private let card: Card
    private let golden: Golden

    public init(card: Card, json: Data) throws {
        self.card = card
        golden = try decoder.decode(Golden.self, from: json)
    }

    public func run(model: Data, network: any Network) throws -> [Check] {
        [file(model), try windows(network), resampling(), decisions()]
    }

    private func file(_ model: Data) -> Check {
        let digest = SHA256.hash(data: model).map { String(format: "%02x", $0) }.joined()
        return Check(name: "file", passed: digest == golden.sha256, detail: "SHA-256 \(digest.prefix(12))…")
    }

    private func windows(_ network: any Network) throws -> Check {
        var largest = 0.0
        for window in golden.windows {
            let logits = try network.run(window.samples.flatMap { $0 }).logits
            let sameLabel = card.labels[indexOfLargest(logits)] == window.label
            largest = max(largest, sameLabel ? error(logits, window.logits) : .infinity)
        }
        let detail = String(format: "logits off by %.1e, allowed %.1e", largest, golden.tolerance)
        return Check(name: "network", passed: largest <= golden.tolerance, detail: detail)
    }

    private func resampling() -> Check {
        let want = golden.resampling
        var resampler = Resampler(rate: want.rate, longestGap: want.longestGap, sensors: 1)
        let points = want.events.flatMap { resampler.push(sensor: 0, time: $0.time, values: $0.values) }
        let same = points.count == want.grid.count && zip(points, want.grid).allSatisfy { made, want in
            abs(made.time - want.time) < Self.close && error(made.values, want.values) < Self.close
                && made.real == want.real && made.restart == want.restart
        }
        return Check(name: "resampling", passed: same, detail: "\(points.count) of \(want.grid.count) grid points")
    }

    private func decisions() -> Check {
        var maker = DecisionMaker(card: card)
        var right = 0
        for want in golden.decisions {
            if want.reset { maker.reset() }
            let output = Output(logits: want.logits, embedding: want.embedding)
            let made = maker.decide(time: 0, coverage: 1, output: output)
            let same = (made.label ?? made.status.rawValue) == want.label
                && abs(made.confidence - want.confidence) < Self.close
                && error(made.scores, want.scores) < Self.close
                && abs((made.novelty ?? 0) - (want.novelty ?? 0)) < Self.close
            right += same ? 1 : 0
        }
        let count = golden.decisions.count
        return Check(name: "decisions", passed: right == count, detail: "\(right) of \(count) as in Python")
    }

    private func error<T: BinaryFloatingPoint>(_ values: [T], _ expected: [T]) -> Double {
        guard values.count == expected.count else { return .infinity }
        let errors = zip(values, expected).map { abs(Double($0) - Double($1)) }
        return errors.allSatisfy(\.isFinite) ? errors.max() ?? 0 : .infinity
    }
}
