// swift-tools-version: 5.9
import PackageDescription

let package = Package(
    name: "MotionLabel",
    platforms: [.iOS(.v16), .macOS(.v14)],
    products: [.library(name: "MotionLabel", targets: ["MotionLabel"])],
    dependencies: [
        .package(url: "https://github.com/microsoft/onnxruntime-swift-package-manager", from: "1.24.0")
    ],
    targets: [
        .target(
            name: "MotionLabel",
            dependencies: [.product(name: "onnxruntime", package: "onnxruntime-swift-package-manager")],
            resources: [.copy("Resources")]
        ),
        .testTarget(name: "MotionLabelTests", dependencies: ["MotionLabel"]),
    ]
)
