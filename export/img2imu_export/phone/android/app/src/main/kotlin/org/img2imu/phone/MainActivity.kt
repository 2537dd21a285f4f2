package org.img2imu.phone

import android.app.Activity
import android.os.Bundle
import android.os.Handler
import android.os.HandlerThread
import android.util.Log
import android.view.Gravity
import android.view.WindowManager
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView

/** Proves the model at the start, then shows what it recognises while the app is in front. */
class MainActivity : Activity() {
    private lateinit var label: TextView
    private lateinit var details: TextView
    private lateinit var checks: TextView

    /** The model's own thread: sensor events, the network and the self-test run here, never on the screen's. */
    private val thread = HandlerThread("img2imu")
    private lateinit var worker: Handler

    // What follows belongs to the worker.
    private var model: Loaded? = null
    private var inFront = false

    private class Loaded(val card: Card, val network: OrtNetwork, val source: MotionSource)

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        showViews()
        thread.start()
        worker = Handler(thread.looper)
        worker.post { attempt { load() } }
    }

    override fun onResume() {
        super.onResume()
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        worker.post { inFront = true; attempt { listen() } }
    }

    // Android silences the sensors of an app in the background; we start anew when it comes back.
    override fun onPause() {
        worker.post { inFront = false; model?.source?.stop() }
        super.onPause()
    }

    override fun onDestroy() {
        worker.post { model?.network?.close() }
        thread.quitSafely()
        super.onDestroy()
    }

    private fun load() {
        val content = asset("model.onnx")
        val card = Card(asset("card.json").decodeToString())
        val network = OrtNetwork(content, card)
        val results = SelfTest(card, asset("golden.json").decodeToString()).run(content, network)
        results.forEach { Log.i(TAG, it.toString()) }
        show { checks.text = results.joinToString("\n", prefix = "${card.name}, worn at: ${card.placement}\n\n") }
        if (results.all { it.passed }) {
            model = Loaded(card, network, MotionSource(this, card))
            listen()
        } else {
            network.close()
            show { label.text = "self-test failed" }
        }
    }

    private fun listen() {
        val (card, network, source) = model?.takeIf { inFront }?.run { Triple(card, network, source) } ?: return
        val recogniser = Recogniser(card, network, source.sensors)
        source.stop()
        source.start(worker) { sensor, time, values ->
            attempt { recogniser.push(sensor, time, values).lastOrNull()?.let(::show) }
        }
    }

    private fun show(decision: Decision) {
        Log.d(TAG, "${decision.time} ${decision.status} ${decision.label} ${decision.confidence}")
        show {
            label.text = decision.label ?: decision.status.name.lowercase().replace('_', ' ')
            details.text = "%.0f %% sure, %.0f %% of samples".format(100 * decision.confidence, 100 * decision.coverage)
        }
    }

    /** A message on the screen beats a crash: the phone may lack a sensor, the files may be wrong. */
    private fun attempt(action: () -> Unit) = try {
        action()
    } catch (error: Exception) {
        Log.e(TAG, "stopped", error)
        model?.source?.stop()
        show { label.text = error.message ?: error.toString() }
    }

    private fun show(change: () -> Unit) = runOnUiThread(change)

    private fun asset(name: String): ByteArray = assets.open(name).use { it.readBytes() }

    private fun showViews() {
        fun text(size: Float) = TextView(this).apply {
            textSize = size
            gravity = Gravity.CENTER
            setPadding(0, 24, 0, 24)
        }
        label = text(36f).apply { text = "testing…" }
        details = text(16f)
        checks = text(12f)
        val column = LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            setPadding(32, 32, 32, 32)
            listOf(label, details, checks).forEach(::addView)
        }
        val screen = ScrollView(this).apply {
            fitsSystemWindows = true // Android 15 draws apps below its bars
            addView(column)
        }
        setContentView(screen)
    }

    private companion object {
        const val TAG = "img2imu"
    }
}
