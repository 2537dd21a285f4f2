package org.img2imu.phone

import android.content.Context
import android.hardware.Sensor
import android.hardware.SensorEvent
import android.hardware.SensorEventListener
import android.hardware.SensorManager
import android.os.Handler

/**
 * The phone's accelerometer and gyroscope.
 *
 * Android's units, axes and signs are the model's: m/s² with gravity included, +9.81 on the axis that points up at
 * rest, and rad/s, anticlockwise positive.
 */
class MotionSource(context: Context, private val card: Card) {
    private val manager = context.getSystemService(Context.SENSOR_SERVICE) as SensorManager
    private val kinds = mapOf(
        Sensor.TYPE_ACCELEROMETER to listOf("acc_x", "acc_y", "acc_z"),
        Sensor.TYPE_GYROSCOPE to listOf("gyr_x", "gyr_y", "gyr_z"),
    ).filterValues { names -> names.any { it in card.channels } }
    private var listener: SensorEventListener? = null

    /** Channels of each sensor that the model needs. */
    val sensors = kinds.values.toList()

    /**
     * Starts the sensors.
     *
     * @param handler of the thread that events are delivered on
     * @param onEvent is given the index in [sensors], seconds, and the values
     * @throws IllegalStateException if the phone lacks a sensor
     */
    fun start(handler: Handler, onEvent: (Int, Double, FloatArray) -> Unit) {
        val found = kinds.keys.map { kind ->
            checkNotNull(manager.getDefaultSensor(kind)) { "this phone lacks a sensor for ${kinds[kind]}" }
        }
        val order = kinds.keys.toList()
        val listening = object : SensorEventListener {
            override fun onSensorChanged(event: SensorEvent) =
                // A copy, for Android uses the array again.
                onEvent(order.indexOf(event.sensor.type), event.timestamp * 1e-9, event.values.copyOf(AXES))

            override fun onAccuracyChanged(sensor: Sensor, accuracy: Int) = Unit
        }
        listener = listening
        val periodMicroseconds = (1e6 / card.rate).toInt()
        found.forEach { manager.registerListener(listening, it, periodMicroseconds, handler) }
    }

    fun stop() {
        listener?.let(manager::unregisterListener)
        listener = null
    }

    private companion object {
        const val AXES = 3
    }
}
