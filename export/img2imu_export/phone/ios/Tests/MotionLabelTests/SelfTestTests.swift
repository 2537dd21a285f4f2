import MotionLabel
import XCTest

final class SelfTestTests: XCTestCase {
    func testThisMachineComputesWhatPythonDid() throws {
        for check in try Proven.load().checks {
            XCTAssertTrue(check.passed, check.description)
        }
    }
}
