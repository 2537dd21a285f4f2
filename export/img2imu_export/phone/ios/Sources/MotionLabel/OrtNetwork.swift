import Foundation
import OnnxRuntimeBindings

/// The network in ONNX Runtime, on one thread: it is small, and the phone has other things to do.
public final class OrtNetwork: Network {
    private let environment: ORTEnv
    private let session: ORTSession
    private let shape: [NSNumber]

    public init(model: URL, card: Card) throws {
        environment = try ORTEnv(loggingLevel: .warning)
        let options = try ORTSessionOptions()
        try options.setIntraOpNumThreads(1)
        session = try ORTSession(env: environment, modelPath: model.path, sessionOptions: options)
        shape = [1, card.windowSamples as NSNumber, card.input.channels.count as NSNumber]
    }

    public func run(_ samples: [Float]) throws -> Output {
        let bytes = samples.withUnsafeBytes { NSMutableData(bytes: $0.baseAddress, length: $0.count) }
        let tensor = try ORTValue(tensorData: bytes, elementType: .float, shape: shape)
        let outputs = try session.run(
            withInputs: ["samples": tensor], outputNames: ["logits", "embedding"], runOptions: nil)
        func row(_ name: String) throws -> [Float] {
            guard let value = outputs[name] else { throw MotionError("the model has no output \(name)") }
            let data = try value.tensorData() as Data
            return data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        }
        return Output(logits: try row("logits"), embedding: try row("embedding"))
    }
}
