package org.img2imu.phone

import java.security.MessageDigest
import kotlin.math.abs
import org.json.JSONArray
import org.json.JSONObject

/** One thing that was checked on this device. */
class Check(val name: String, val passed: Boolean, val detail: String) {
    override fun toString() = "${if (passed) "ok" else "FAILED"}  $name: $detail"
}

/** Compares what this device computes with `golden.json`: what Python computed when the model was exported. */
class SelfTest(private val card: Card, json: String) {
    private val golden = JSONObject(json)

    fun run(model: ByteArray, network: Network): List<Check> =
        listOf(file(model)) + windows(network) + resampling() + decisions()

    private fun file(model: ByteArray): Check {
        val digest = MessageDigest.getInstance("SHA-256").digest(model).joinToString("") { "%02x".format(it) }
        return Check("file", digest == golden.getString("sha256"), "SHA-256 ${digest.take(12)}…")
    }

    private fun windows(network: Network): Check {
        val largest = golden.objects("windows").map { window ->
            val samples = window.getJSONArray("samples")
            val flat = List(samples.length()) { samples.getJSONArray(it).floats().asList() }.flatten().toFloatArray()
            val logits = network.run(flat).logits
            val error = error(logits.map(Float::toDouble), window.getJSONArray("logits"))
            val label = card.labels[logits.indices.maxBy { logits[it] }]
            if (label == window.getString("label")) error else Double.MAX_VALUE
        }.max()
        val bound = golden.getDouble("tolerance")
        return Check("network", largest <= bound, "logits off by %.1e, allowed %.1e".format(largest, bound))
    }

    private fun resampling(): Check {
        val case = golden.getJSONObject("resampling")
        val resampler = Resampler(case.getDouble("rate"), case.getDouble("longest_gap"), sensors = 1)
        val points = case.objects("events").flatMap {
            resampler.push(0, it.getDouble("time"), it.getJSONArray("values").floats())
        }
        val expected = case.objects("grid")
        val same = points.size == expected.size && points.zip(expected).all { (point, want) ->
            abs(point.time - want.getDouble("time")) < CLOSE &&
                error(point.values.map(Float::toDouble), want.getJSONArray("values")) < CLOSE &&
                point.real == want.getBoolean("real") && point.restart == want.getBoolean("restart")
        }
        return Check("resampling", same, "${points.size} of ${expected.size} grid points")
    }

    private fun decisions(): Check {
        val maker = DecisionMaker(card)
        val expected = golden.objects("decisions")
        val right = expected.count { want ->
            if (want.getBoolean("reset")) maker.reset()
            val made = maker.decide(0.0, 1.0, Output(want.floats("logits"), want.floats("embedding")))
            val label = made.label ?: made.status.name.lowercase()
            label == want.getString("label") &&
                abs(made.confidence - want.getDouble("confidence")) < CLOSE &&
                error(made.scores.asList(), want.getJSONArray("scores")) < CLOSE &&
                abs((made.novelty ?: 0.0) - want.optDouble("novelty", 0.0)) < CLOSE
        }
        return Check("decisions", right == expected.size, "$right of ${expected.size} as in Python")
    }

    private fun error(values: List<Double>, expected: JSONArray): Double {
        if (values.size != expected.length() || !values.all(Double::isFinite)) return Double.MAX_VALUE
        return values.indices.maxOf { abs(values[it] - expected.getDouble(it)) }
    }

    private fun JSONObject.floats(key: String) = getJSONArray(key).floats()

    private fun JSONObject.objects(key: String) =
        getJSONArray(key).let { rows -> List(rows.length(), rows::getJSONObject) }

    private companion object {
        /** What rounding may change where no network is at work. */
        const val CLOSE = 1e-5
    }
}
