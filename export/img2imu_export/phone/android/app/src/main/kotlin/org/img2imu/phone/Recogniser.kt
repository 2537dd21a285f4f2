package org.img2imu.phone

/** What a network gives for one window. */
class Output(val logits: FloatArray, val embedding: FloatArray)

/** A network: a window of samples (windowSamples × channels, sample by sample) to its output. */
fun interface Network {
    fun run(samples: FloatArray): Output
}

/**
 * Sensor events in, decisions out.
 *
 * Not thread-safe: push from one thread.
 *
 * @param sensors the channels that each sensor delivers, such as `acc_x`, in its units: m/s² and rad/s
 */
class Recogniser(private val card: Card, private val network: Network, sensors: List<List<String>>) {
    private val order = card.channels.map { channel ->
        val index = sensors.flatten().indexOf(channel)
        require(index >= 0) { "${card.name} needs $channel, which no sensor delivers" }
        index
    }
    private val resampler = Resampler(card.rate, card.windowSamples / card.rate, sensors.size)
    private val maker = DecisionMaker(card)
    private val samples = Array(card.windowSamples) { FloatArray(order.size) } // a ring
    private val real = BooleanArray(card.windowSamples)
    private var total = 0
    private var due = card.firstSamples

    /** Takes in one event, and returns the decisions that it completes. */
    fun push(sensor: Int, time: Double, values: FloatArray): List<Decision> =
        resampler.push(sensor, time, values).mapNotNull(::take)

    private fun take(point: GridPoint): Decision? {
        if (point.restart) {
            maker.reset()
            real.fill(false)
            total = 0
            due = card.firstSamples
        }
        val at = total % card.windowSamples
        order.forEachIndexed { axis, from -> samples[at][axis] = point.values[from] }
        real[at] = point.real
        total++
        if (total < due) return null
        due += card.hopSamples
        return decide(point.time)
    }

    private fun decide(time: Double): Decision {
        val coverage = real.count { it }.toDouble() / card.windowSamples
        if (total < card.windowSamples) return Decision(time, Status.WARMING_UP, coverage)
        if (coverage < card.minCoverage) return Decision(time, Status.GAP, coverage)
        val window = FloatArray(card.windowSamples * order.size) {
            samples[(total + it / order.size) % card.windowSamples][it % order.size]
        }
        return maker.decide(time, coverage, network.run(window))
    }
}
