package org.img2imu.phone

import org.json.JSONArray
import org.json.JSONObject

/** What the app needs of the model card, `card.json`: how to feed the model, and how to read its output. */
class Card(json: String) {
    private val card = JSONObject(json)
    private val input = card.getJSONObject("input")
    private val decision = card.getJSONObject("decision")
    private val novelty = decision.optJSONObject("novelty")

    val name: String = card.getString("name")
    val labels = card.getJSONArray("labels").strings()
    val channels = input.getJSONArray("channels").strings()
    val placement: String = input.getString("placement")

    /** Samples per second. */
    val rate = input.getDouble("rate")

    /** Samples behind one decision. */
    val windowSamples: Int

    /** Samples between decisions. */
    val hopSamples: Int

    /** Samples before the first decision, such that a later one falls right on the first full window. */
    val firstSamples: Int

    val temperature = decision.getDouble("temperature")
    val smoothing = decision.getDouble("smoothing")
    val margin = decision.getDouble("margin")
    val minCoverage = decision.getDouble("min_coverage")

    /** Mean embedding of each class; null for a model that does not know the unknown. */
    val centroids = novelty?.getJSONArray("centroids")?.let { rows ->
        List(rows.length()) { rows.getJSONArray(it).doubles() }
    }
    val spread = novelty?.getJSONArray("spread")?.doubles()
    val threshold = novelty?.getDouble("threshold")

    init {
        require(input.getString("form") == "samples") {
            "$name takes pictures; the app needs a model that takes samples"
        }
        val spectrogram = card.getJSONObject("spectrogram")
        val frame = Math.rint(spectrogram.getDouble("frame_s") * rate).toInt()
        val hop = maxOf(1, Math.rint(spectrogram.getDouble("hop_s") * rate).toInt())
        val columns = input.getInt("columns")
        val hopColumns = input.getInt("hop_columns")
        windowSamples = (columns - 1) * hop + frame
        hopSamples = hopColumns * hop
        firstSamples = (columns - 1) % hopColumns * hop + frame
    }
}

fun JSONArray.strings() = List(length()) { getString(it) }

fun JSONArray.doubles() = DoubleArray(length()) { getDouble(it) }

fun JSONArray.floats() = FloatArray(length()) { getDouble(it).toFloat() }
