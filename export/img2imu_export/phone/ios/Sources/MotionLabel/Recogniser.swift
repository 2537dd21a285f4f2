/// What a network gives for one window.
public struct Output {
    let logits: [Float]
    let embedding: [Float]
}

/// A network: a window of samples (windowSamples × channels, sample by sample) to its output.
public protocol Network {
    func run(_ samples: [Float]) throws -> Output
}

/// Sensor events in, decisions out. Push from one thread.
public final class Recogniser {
    private let card: Card
    private let network: any Network
    private let order: [Int]
    private var resampler: Resampler
    private var maker: DecisionMaker
    private var samples: [[Float]]  // a ring
    private var real: [Bool]
    private var total = 0
    private var due: Int

    /// - Parameter sensors: The channels that each sensor delivers, such as `acc_x`, in its units: m/s² and rad/s.
    public init(card: Card, network: any Network, sensors: [[String]]) throws {
        let delivered = sensors.flatMap { $0 }
        let order = try card.input.channels.map { channel in
            guard let index = delivered.firstIndex(of: channel) else {
                throw MotionError("\(card.name) needs \(channel), which no sensor delivers")
            }
            return index
        }
        let window = card.windowSamples
        self.card = card
        self.network = network
        self.order = order
        resampler = Resampler(
            rate: card.input.rate, longestGap: Double(window) / card.input.rate, sensors: sensors.count)
        maker = DecisionMaker(card: card)
        samples = Array(repeating: Array(repeating: 0, count: order.count), count: window)
        real = Array(repeating: false, count: window)
        due = card.firstSamples
    }

    /// Takes in one event, and returns the decisions that it completes.
    public func push(sensor: Int, time: Double, values: [Float]) throws -> [Decision] {
        try resampler.push(sensor: sensor, time: time, values: values).compactMap(take)
    }

    private func take(_ point: GridPoint) throws -> Decision? {
        if point.restart {
            maker.reset()
            real = Array(repeating: false, count: real.count)
            total = 0
            due = card.firstSamples
        }
        let at = total % card.windowSamples
        samples[at] = order.map { point.values[$0] }
        real[at] = point.real
        total += 1
        if total < due { return nil }
        due += card.hopSamples
        return try decide(at: point.time)
    }

    private func decide(at time: Double) throws -> Decision {
        let window = card.windowSamples
        let coverage = Double(real.filter { $0 }.count) / Double(window)
        if total < window { return Decision(time: time, status: .warmingUp, coverage: coverage) }
        if coverage < card.decision.minCoverage { return Decision(time: time, status: .gap, coverage: coverage) }
        let unrolled = (0..<window).flatMap { samples[(total + $0) % window] }
        return maker.decide(time: time, coverage: coverage, output: try network.run(unrolled))
    }
}
