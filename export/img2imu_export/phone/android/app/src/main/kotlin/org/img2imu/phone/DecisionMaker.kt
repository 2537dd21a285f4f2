package org.img2imu.phone

import kotlin.math.exp
import kotlin.math.sqrt

enum class Status { OK, UNKNOWN, GAP, WARMING_UP }

/**
 * What the model says about one window.
 *
 * @property time seconds, on the sensors' clock, of the window's last sample
 * @property label the class; null unless [status] is OK
 * @property confidence calibrated probability of the label
 * @property coverage share of the window's samples that were really received
 * @property scores probability of each class, smoothed over time; empty where the network was not asked
 * @property novelty distance from the training data
 */
class Decision(
    val time: Double,
    val status: Status,
    val coverage: Double,
    val label: String? = null,
    val confidence: Double = 0.0,
    val scores: DoubleArray = DoubleArray(0),
    val novelty: Double? = null,
)

/** Calibration, rejection, smoothing and hysteresis, number for number as in Python. */
class DecisionMaker(private val card: Card) {
    private var smoothed: DoubleArray? = null
    private var current: Int? = null

    fun decide(time: Double, coverage: Double, output: Output): Decision {
        val probabilities = softmax(output.logits, card.temperature.toFloat())
        val novelty = novelty(output.embedding)
        if (novelty != null && novelty > card.threshold!!) {
            // An alien window says nothing about the known classes: the running mean stays as it was.
            return Decision(time, Status.UNKNOWN, coverage, scores = probabilities, novelty = novelty)
        }
        val past = smoothed ?: probabilities
        val keep = card.smoothing
        val scores = DoubleArray(past.size) { keep * past[it] + (1 - keep) * probabilities[it] }
        smoothed = scores
        val best = scores.indices.maxBy { scores[it] }
        val chosen = current?.takeIf { scores[best] - scores[it] < card.margin } ?: best
        current = chosen
        return Decision(time, Status.OK, coverage, card.labels[chosen], scores[chosen], scores, novelty)
    }

    /** Distance to the nearest class: the smallest root mean square of (embedding − centroid) / spread. */
    private fun novelty(embedding: FloatArray): Double? {
        val spread = card.spread ?: return null
        return card.centroids?.minOf { centroid ->
            sqrt(spread.indices.sumOf { i -> ((embedding[i] - centroid[i]) / spread[i]).let { it * it } } / spread.size)
        }
    }

    /** Forgets the past, as after a long gap. */
    fun reset() {
        smoothed = null
        current = null
    }
}

private fun softmax(logits: FloatArray, temperature: Float): DoubleArray {
    val scaled = DoubleArray(logits.size) { (logits[it] / temperature).toDouble() }
    val exponentials = scaled.max().let { largest -> DoubleArray(scaled.size) { exp(scaled[it] - largest) } }
    val sum = exponentials.sum()
    return DoubleArray(scaled.size) { exponentials[it] / sum }
}
