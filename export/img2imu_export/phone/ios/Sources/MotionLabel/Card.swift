import Foundation

/// What the app needs of the model card, `card.json`: how to feed the model, and how to read its output.
public struct Card: Decodable {
    public struct Input: Decodable {
        public let channels: [String]
        /// Samples per second.
        public let rate: Double
        public let placement: String
        let columns: Int
        let hopColumns: Int
        let form: String
    }

    struct Spectrogram: Decodable {
        let frameS: Double
        let hopS: Double
    }

    struct Thresholds: Decodable {
        let temperature: Double
        let smoothing: Double
        let margin: Double
        let minCoverage: Double
        /// Nil for a model that does not know the unknown.
        let novelty: Novelty?
    }

    struct Novelty: Decodable {
        /// Mean embedding of each class.
        let centroids: [[Double]]
        let spread: [Double]
        let threshold: Double
    }

    public let name: String
    public let labels: [String]
    public let input: Input
    let spectrogram: Spectrogram
    let decision: Thresholds

    public init(json: Data) throws {
        self = try decoder.decode(Card.self, from: json)
        guard input.form == "samples" else {
            throw MotionError("\(name) takes pictures; the app needs a model that takes samples")
        }
    }

    private var frame: Int { Int((spectrogram.frameS * input.rate).rounded(.toNearestOrEven)) }
    private var hop: Int { max(1, Int((spectrogram.hopS * input.rate).rounded(.toNearestOrEven))) }

    /// Samples behind one decision.
    var windowSamples: Int { (input.columns - 1) * hop + frame }

    /// Samples between decisions.
    var hopSamples: Int { input.hopColumns * hop }

    /// Samples before the first decision, such that a later one falls right on the first full window.
    var firstSamples: Int { (input.columns - 1) % input.hopColumns * hop + frame }
}

/// Something that the app's user can be told.
public struct MotionError: LocalizedError {
    public let errorDescription: String?

    public init(_ message: String) { errorDescription = message }
}

let decoder: JSONDecoder = {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
}()
