package org.img2imu.phone

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import java.nio.FloatBuffer

/** The network in ONNX Runtime, on one thread: it is small, and the phone has other things to do. */
class OrtNetwork(model: ByteArray, card: Card) : Network, AutoCloseable {
    private val environment = OrtEnvironment.getEnvironment()
    private val shape = longArrayOf(1, card.windowSamples.toLong(), card.channels.size.toLong())
    private val session = OrtSession.SessionOptions().use {
        it.setIntraOpNumThreads(1)
        environment.createSession(model, it)
    }

    override fun run(samples: FloatArray): Output =
        OnnxTensor.createTensor(environment, FloatBuffer.wrap(samples), shape).use { tensor ->
            session.run(mapOf("samples" to tensor)).use { result ->
                fun row(name: String): FloatArray {
                    val buffer = (result[name].get() as OnnxTensor).floatBuffer
                    return FloatArray(buffer.remaining()).also(buffer::get)
                }
                Output(row("logits"), row("embedding"))
            }
        }

    override fun close() = session.close()
}
