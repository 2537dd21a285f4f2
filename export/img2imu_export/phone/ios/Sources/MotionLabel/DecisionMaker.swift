import Foundation

public enum Status: String {
    case ok, unknown, gap
    case warmingUp = "warming up"
}

/// What the model says about one window.
public struct Decision {
    /// Seconds, on the sensors' clock, of the window's last sample.
    public let time: Double
    public let status: Status
    /// Share of the window's samples that were really received.
    public let coverage: Double
    /// The class; nil unless `status` is `ok`.
    public var label: String?
    /// Calibrated probability of the label.
    public var confidence = 0.0
    /// Probability of each class, smoothed over time; empty where the network was not asked.
    public var scores: [Double] = []
    /// Distance from the training data.
    public var novelty: Double?
}

/// Calibration, rejection, smoothing and hysteresis, number for number as in Python.
struct DecisionMaker {
    private let card: Card
    private var smoothed: [Double]?
    private var current: Int?

    init(card: Card) { self.card = card }

    mutating func decide(time: Double, coverage: Double, output: Output) -> Decision {
        let probabilities = softmax(output.logits, temperature: Float(card.decision.temperature))
        let distance = novelty(of: output.embedding)
        if let distance, let known = card.decision.novelty, distance > known.threshold {
            // An alien window says nothing about the known classes: the running mean stays as it was.
            return Decision(
                time: time, status: .unknown, coverage: coverage, scores: probabilities, novelty: distance)
        }
        let keep = card.decision.smoothing
        let scores = zip(smoothed ?? probabilities, probabilities).map { keep * $0 + (1 - keep) * $1 }
        smoothed = scores
        let best = indexOfLargest(scores)
        let chosen = current.flatMap { scores[best] - scores[$0] < card.decision.margin ? $0 : nil } ?? best
        current = chosen
        return Decision(
            time: time, status: .ok, coverage: coverage, label: card.labels[chosen], confidence: scores[chosen],
            scores: scores, novelty: distance)
    }

    /// Distance to the nearest class: the smallest root mean square of (embedding − centroid) / spread.
    private func novelty(of embedding: [Float]) -> Double? {
        guard let known = card.decision.novelty else { return nil }
        return known.centroids.map { centroid in
            let squares = known.spread.indices.map { i in
                pow((Double(embedding[i]) - centroid[i]) / known.spread[i], 2)
            }
            return (squares.reduce(0, +) / Double(squares.count)).squareRoot()
        }.min()
    }

    /// Forgets the past, as after a long gap.
    mutating func reset() {
        smoothed = nil
        current = nil
    }
}

func indexOfLargest<T: Comparable>(_ values: [T]) -> Int {
    values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
}

private func softmax(_ logits: [Float], temperature: Float) -> [Double] {
    let scaled = logits.map { Double($0 / temperature) }
    let largest = scaled.max() ?? 0
    let exponentials = scaled.map { exp($0 - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
}
