import CoreMotion
import Foundation

/// The phone's accelerometer and gyroscope, in the model's units and signs.
///
/// Core Motion gives acceleration in g, and −1 on the axis that points up at rest; the model wants m/s², and +9.81.
/// Rotation is in rad/s and anticlockwise positive in both.
final class MotionSource {
    static let sensors = [["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]]

    private static let gravity = 9.80665
    private let manager = CMMotionManager()

    var isAvailable: Bool { manager.isDeviceMotionAvailable }

    /// Starts the sensors; `onEvent` is given seconds and values, on `queue`.
    func start(rate: Double, queue: OperationQueue, onEvent: @escaping (Double, [Float]) -> Void) {
        manager.deviceMotionUpdateInterval = 1 / rate
        manager.startDeviceMotionUpdates(to: queue) { motion, _ in
            guard let motion else { return }
            let (down, user, turn) = (motion.gravity, motion.userAcceleration, motion.rotationRate)
            let acceleration = [down.x + user.x, down.y + user.y, down.z + user.z].map { -Self.gravity * $0 }
            onEvent(motion.timestamp, (acceleration + [turn.x, turn.y, turn.z]).map { Float($0) })
        }
    }

    func stop() { manager.stopDeviceMotionUpdates() }
}
