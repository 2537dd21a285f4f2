import Foundation

/// The bundle's model, loaded and proven on this device.
public struct Proven {
    public let card: Card
    public let network: any Network
    public let checks: [Check]

    public var holds: Bool { checks.allSatisfy(\.passed) }

    /// Loads the model and runs the self-test; takes a moment, so not on the screen's thread.
    public static func load() throws -> Proven {
        func resource(_ name: String, _ ending: String) throws -> URL {
            guard
                let url = Bundle.module.url(forResource: name, withExtension: ending, subdirectory: "Resources")
            else { throw MotionError("\(name).\(ending) is missing") }
            return url
        }
        let model = try resource("model", "onnx")
        let card = try Card(json: Data(contentsOf: resource("card", "json")))
        let network = try OrtNetwork(model: model, card: card)
        let test = try SelfTest(card: card, json: Data(contentsOf: resource("golden", "json")))
        let checks = try test.run(model: Data(contentsOf: model), network: network)
        return Proven(card: card, network: network, checks: checks)
    }
}
