package org.img2imu.phone

import kotlin.math.abs

/**
 * One sample on the model's grid.
 *
 * @property time seconds, on the sensors' clock
 * @property values the channels of all sensors, in their order
 * @property real false where the values only bridge a gap
 * @property restart whether the grid starts here
 */
class GridPoint(val time: Double, val values: FloatArray, val real: Boolean, val restart: Boolean)

/**
 * From sensor events, which come when they like, to the model's uniform grid: a straight line between neighbours.
 *
 * Sensors come separately, so a grid point waits until each sensor has reached it. After a gap longer than
 * [longestGap] in any of them, or a clock that was reset, the grid starts anew.
 *
 * @param rate the grid's, in Hz
 * @param longestGap seconds
 * @param sensors how many deliver events
 */
class Resampler(private val rate: Double, private val longestGap: Double, sensors: Int) {
    private class Event(val time: Double, val values: FloatArray)

    private val sensors = List(sensors) { ArrayDeque<Event>() }
    private var start = 0.0
    private var next = 0
    private var started = false

    /**
     * Takes in one event, whose values it keeps, and returns the grid points that are now certain.
     * Late and damaged events are dropped.
     */
    fun push(sensor: Int, time: Double, values: FloatArray): List<GridPoint> {
        if (!time.isFinite() || !values.all(Float::isFinite)) return emptyList()
        val events = sensors[sensor]
        val latest = events.lastOrNull()?.time
        val reset = latest != null && latest - time > longestGap
        if (reset || sensors.any { it.isNotEmpty() && time - it.last().time > longestGap }) {
            restart()
        } else if (latest != null && time <= latest) {
            return emptyList()
        }
        events.addLast(Event(time, values))
        return emit()
    }

    /** Forgets everything, as after a pause of the app. */
    fun restart() {
        sensors.forEach { it.clear() }
        started = false
    }

    private fun emit(): List<GridPoint> {
        if (!started) {
            // Until every sensor speaks, the latest of each is enough.
            sensors.forEach { while (it.size > 1) it.removeFirst() }
            if (sensors.any { it.isEmpty() }) return emptyList()
            start = sensors.maxOf { it.first().time }
            next = 0
            started = true
        }
        val points = mutableListOf<GridPoint>()
        while (true) {
            val time = start + next / rate
            val parts = sensors.map { it.at(time) ?: return points }
            val values = parts.flatMap { it.first.asList() }.toFloatArray()
            points += GridPoint(time, values, parts.all { it.second }, restart = next == 0)
            next++
        }
    }

    /** The values at a time, and whether they are real; null before the sensor has reached it. */
    private fun ArrayDeque<Event>.at(time: Double): Pair<FloatArray, Boolean>? {
        while (size > 1 && this[1].time <= time + ALIGNED / rate) removeFirst()
        val before = first()
        if (abs(before.time - time) <= ALIGNED / rate) return before.values to true
        val after = getOrNull(1) ?: return null
        val share = (time - before.time) / (after.time - before.time)
        val values = FloatArray(before.values.size) {
            (before.values[it] + share * (after.values[it] - before.values[it])).toFloat()
        }
        return values to (after.time - before.time <= GAP / rate)
    }

    private companion object {
        /** An event this close to a grid point, in sampling intervals, is taken as it is. */
        const val ALIGNED = 1e-3

        /** Intervals longer than this many of the grid's hold lost samples. */
        const val GAP = 1.5
    }
}
