/** Runs the Android bundle's own code on a JVM: the self-test first, then a file of sensor events. */

import java.io.File
import org.img2imu.phone.Card
import org.img2imu.phone.OrtNetwork
import org.img2imu.phone.Recogniser
import org.img2imu.phone.SelfTest

private val SENSORS = listOf(listOf("acc_x", "acc_y", "acc_z"), listOf("gyr_x", "gyr_y", "gyr_z"))

/** Arguments: the folder of assets, then any number of files with lines of sensor,time,x,y,z in the order of arrival. */
fun main(arguments: Array<String>) {
    val assets = File(arguments[0])
    val model = assets.resolve("model.onnx").readBytes()
    val card = Card(assets.resolve("card.json").readText())
    OrtNetwork(model, card).use { network ->
        SelfTest(card, assets.resolve("golden.json").readText()).run(model, network).forEach { println("check $it") }
        arguments.drop(1).forEach { file ->
            println("events $file")
            val recogniser = Recogniser(card, network, SENSORS)
            File(file).forEachLine { line ->
                val fields = line.split(",")
                val values = FloatArray(3) { fields[2 + it].toFloat() }
                recogniser.push(fields[0].toInt(), fields[1].toDouble(), values).forEach {
                    println("decision ${it.time},${it.status},${it.label ?: ""},${it.confidence},${it.coverage}")
                }
            }
        }
    }
}
