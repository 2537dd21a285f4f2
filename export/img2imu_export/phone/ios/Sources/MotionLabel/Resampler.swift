/// One sample on the model's grid.
struct GridPoint {
    /// Seconds, on the sensors' clock.
    let time: Double
    /// The channels of all sensors, in their order.
    let values: [Float]
    /// False where the values only bridge a gap.
    let real: Bool
    /// Whether the grid starts here.
    let restart: Bool
}

/// From sensor events, which come when they like, to the model's uniform grid: a straight line between neighbours.
///
/// Sensors may come separately, so a grid point waits until each sensor has reached it. After a gap longer than
/// `longestGap` in any of them, or a clock that was reset, the grid starts anew.
struct Resampler {
    private struct Event {
        let time: Double
        let values: [Float]
    }

    /// An event this close to a grid point, in sampling intervals, is taken as it is.
    private static let aligned = 1e-3
    /// Intervals longer than this many of the grid's hold lost samples.
    private static let gap = 1.5

    private let rate: Double
    private let longestGap: Double
    private var sensors: [[Event]]
    private var start = 0.0
    private var next = 0
    private var started = false

    /// - Parameters:
    ///   - rate: The grid's, in Hz.
    ///   - longestGap: Seconds.
    ///   - sensors: How many deliver events.
    init(rate: Double, longestGap: Double, sensors: Int) {
        self.rate = rate
        self.longestGap = longestGap
        self.sensors = Array(repeating: [], count: sensors)
    }

    /// Takes in one event and returns the grid points that are now certain. Late and damaged events are dropped.
    mutating func push(sensor: Int, time: Double, values: [Float]) -> [GridPoint] {
        guard time.isFinite, values.allSatisfy(\.isFinite) else { return [] }
        let latest = sensors[sensor].last?.time
        let reset = latest.map { $0 - time > longestGap } ?? false
        if reset || sensors.contains(where: { events in events.last.map { time - $0.time > longestGap } ?? false }) {
            restart()
        } else if let latest, time <= latest {
            return []
        }
        sensors[sensor].append(Event(time: time, values: values))
        return emit()
    }

    /// Forgets everything, as after a pause of the app.
    mutating func restart() {
        for sensor in sensors.indices { sensors[sensor].removeAll() }
        started = false
    }

    private mutating func emit() -> [GridPoint] {
        if !started {
            // Until every sensor speaks, the latest of each is enough.
            for sensor in sensors.indices { sensors[sensor] = Array(sensors[sensor].suffix(1)) }
            let firsts = sensors.compactMap { $0.first?.time }
            guard firsts.count == sensors.count, let latest = firsts.max() else { return [] }
            start = latest
            next = 0
            started = true
        }
        var points: [GridPoint] = []
        while true {
            let time = start + Double(next) / rate
            var values: [Float] = []
            var real = true
            for sensor in sensors.indices {
                guard let part = value(of: sensor, at: time) else { return points }
                values += part.values
                real = real && part.real
            }
            points.append(GridPoint(time: time, values: values, real: real, restart: next == 0))
            next += 1
        }
    }

    /// A sensor's values at a time, and whether they are real; nil before it has reached that time.
    private mutating func value(of sensor: Int, at time: Double) -> (values: [Float], real: Bool)? {
        let tolerance = Self.aligned / rate
        while sensors[sensor].count > 1, sensors[sensor][1].time <= time + tolerance {
            sensors[sensor].removeFirst()
        }
        let before = sensors[sensor][0]
        if abs(before.time - time) <= tolerance { return (before.values, true) }
        guard sensors[sensor].count > 1 else { return nil }
        let after = sensors[sensor][1]
        let share = (time - before.time) / (after.time - before.time)
        let values = zip(before.values, after.values).map { Float(Double($0) + share * Double($1 - $0)) }
        return (values, after.time - before.time <= Self.gap / rate)
    }
}
