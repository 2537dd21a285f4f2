"""The C side against the Python side, byte for byte, and under the sanitizers where the compiler has them."""

import ctypes
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_bridge.wire.framing import FrameReader, encode_frame
from img2imu_bridge.wire.messages import (
    MAX_MESSAGE,
    Control,
    Data,
    Info,
    InfoAssembler,
    InfoPart,
    Kind,
    MessageError,
    Request,
    SensorInfo,
    Status,
    StatusCode,
    decode,
    encode_control,
    encode_data,
    encode_info,
    encode_status,
)
from img2imu_bridge.wire.stream import StreamDecoder

FIRMWARE = Path(__file__).parents[2] / "firmware_bridge" / "firmware"
SOURCES = [FIRMWARE / "src" / "img2imu_wire.c", FIRMWARE / "src" / "img2imu_device.c"]
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{FIRMWARE / 'src'}"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]

if shutil.which("cc"):
    COMPILER = ["cc"]
elif find_spec("ziglang"):
    COMPILER = [sys.executable, "-m", "ziglang", "cc"]
else:
    pytest.skip("there is no C compiler", allow_module_level=True)

u8, u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
positive = st.integers(1, 2**32 - 1)
sizes = st.integers(3, MAX_MESSAGE)
sensors = st.lists(st.sampled_from(Kind), min_size=1, max_size=3, unique=True).flatmap(
    lambda kinds: st.tuples(*(st.builds(SensorInfo, st.just(kind), positive, positive) for kind in kinds))
)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
infos = st.builds(
    Info, names, sensors, positive.map(lambda rate: rate / 1000), positive, u32, u64, u64, st.booleans()
)
controls = st.one_of(
    st.builds(Control, st.sampled_from([Request.GET_INFO, Request.START, Request.STOP]), u8),
    st.builds(Control, st.just(Request.SET_RATE), u8, positive.map(lambda rate: rate / 1000)),
)
messages = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.lists(st.sampled_from([b"\0", b"\1" * 251, b"\2" * 252, b"\3" * 254]), min_size=1)
    .map(b"".join)
    .map(lambda message: message[:MAX_MESSAGE]),
)


class CSensor(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint8),
        ("numerator", ctypes.c_uint32),
        ("denominator", ctypes.c_uint32),
    )


class CInfo(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("boot_id", ctypes.c_uint32),
        ("ticks", ctypes.c_uint64),
        ("next_index", ctypes.c_uint64),
        ("ticks_per_second", ctypes.c_uint32),
        ("rate_millihertz", ctypes.c_uint32),
        ("streaming", ctypes.c_uint8),
        ("sensor_count", ctypes.c_uint8),
        ("sensors", CSensor * 3),
    )


class CRequest(ctypes.Structure):
    _fields_ = (
        ("request", ctypes.c_uint8),
        ("request_id", ctypes.c_uint8),
        ("rate_millihertz", ctypes.c_uint32),
    )


class CReceiver(ctypes.Structure):
    _fields_ = (
        ("message", ctypes.c_uint8 * 18),
        ("length", ctypes.c_uint8),
        ("code", ctypes.c_uint8),
        ("left", ctypes.c_uint8),
        ("overlong", ctypes.c_uint8),
        ("corrupt", ctypes.c_uint16),
    )


class CQueue(ctypes.Structure):
    _fields_ = (
        ("bytes", ctypes.POINTER(ctypes.c_uint8)),
        ("capacity", ctypes.c_size_t),
        ("used", ctypes.c_size_t),
        ("most", ctypes.c_size_t),
        ("dropped", ctypes.c_uint32),
    )


class CBatch(ctypes.Structure):
    _fields_ = (
        ("message", ctypes.POINTER(ctypes.c_uint8)),
        ("capacity", ctypes.c_size_t),
        ("length", ctypes.c_size_t),
        ("next_index", ctypes.c_uint64),
        ("axes", ctypes.c_uint8),
    )


class Wire:
    """The C functions, with buffers whose guard bytes show a write beyond the end."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.c = library
        for name in ("encode_info", "encode_data", "encode_status", "encode_frame", "receive", "queue_drain"):
            getattr(library, f"img2imu_{name}").restype = ctypes.c_size_t
        library.img2imu_batch_add.restype = library.img2imu_batch_flush.restype = ctypes.c_size_t
        library.img2imu_crc.restype = ctypes.c_uint16
        library.img2imu_extend_ticks.restype = ctypes.c_uint64

    @staticmethod
    def written(capacity: int, write: Callable[[ctypes.Array[ctypes.c_uint8]], int]) -> bytes:
        buffer = (ctypes.c_uint8 * (capacity + 8))(*[0xA5] * (capacity + 8))
        length = write(buffer)
        assert length <= capacity
        assert bytes(buffer)[capacity:] == b"\xa5" * 8
        return bytes(buffer)[:length]

    def encode_info(self, info: CInfo, max_size: int) -> list[bytes]:
        parts: list[bytes] = []
        size = ctypes.c_size_t(max_size)
        while part := self.written(
            max_size,
            lambda out: self.c.img2imu_encode_info(ctypes.byref(info), len(parts), size, out),
        ):
            parts.append(part)
        return parts

    def encode_data(self, index: int, ticks: int, counts: np.ndarray, capacity: int) -> bytes:
        values = np.ascontiguousarray(counts, np.int16)
        return self.written(
            capacity,
            lambda out: self.c.img2imu_encode_data(
                ctypes.c_uint64(index),
                ctypes.c_uint64(ticks),
                values.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_size_t(values.size),
                out,
                ctypes.c_size_t(capacity),
            ),
        )

    def encode_frame(self, message: bytes, capacity: int) -> bytes:
        return self.written(
            capacity,
            lambda out: self.c.img2imu_encode_frame(
                message, ctypes.c_size_t(len(message)), out, ctypes.c_size_t(capacity)
            ),
        )

    def receive(self, stream: bytes) -> tuple[list[bytes], int]:
        """The messages that the receiver finds, and how many frames it throws away."""
        receiver, found = CReceiver(), []
        for byte in stream:
            length = self.c.img2imu_receive(ctypes.byref(receiver), ctypes.c_uint8(byte))
            if length:
                found.append(bytes(receiver.message)[:length])
        return found, receiver.corrupt

    def decode_request(self, message: bytes) -> tuple[int, CRequest]:
        request = CRequest()
        code = self.c.img2imu_decode_request(message, ctypes.c_size_t(len(message)), ctypes.byref(request))
        return code, request


def build(arguments: list[str]) -> None:
    command = [*COMPILER, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def as_c(info: Info) -> CInfo:
    return CInfo(
        info.name.encode(),
        info.boot_id,
        info.ticks,
        info.next_index,
        info.ticks_per_second,
        round(info.rate * 1000),
        info.streaming,
        len(info.sensors),
        (CSensor * 3)(*(CSensor(sensor.kind, sensor.num, sensor.den) for sensor in info.sensors)),
    )


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Wire:
    library = tmp_path_factory.mktemp("firmware") / "wire.so"
    build(["-std=c99", *STRICT, "-shared", "-fPIC", *map(str, SOURCES), "-o", str(library)])
    return Wire(ctypes.CDLL(str(library)))


# Encoders.


@given(infos, sizes)
def test_info_is_the_same_from_c_and_python(wire: Wire, info: Info, max_size: int) -> None:
    assert wire.encode_info(as_c(info), max_size) == encode_info(info, max_size)


@pytest.mark.parametrize(
    "change",
    [
        {"rate_millihertz": 0},
        {"ticks_per_second": 0},
        {"sensor_count": 0},
        {"sensor_count": 4},
        {"sensors": (CSensor * 3)(CSensor(0, 1, 1))},
        {"sensors": (CSensor * 3)(CSensor(4, 1, 1))},
        {"sensors": (CSensor * 3)(CSensor(1, 0, 1))},
        {"sensors": (CSensor * 3)(CSensor(1, 1, 0))},
        {"sensor_count": 2, "sensors": (CSensor * 3)(CSensor(1, 1, 1), CSensor(1, 1, 1))},
    ],
)
def test_an_impossible_info_is_not_sent(wire: Wire, change: dict[str, object]) -> None:
    info = as_c(Info("band", (SensorInfo(Kind.ACC, 1, 400),), 50.0, 1000))
    assert wire.encode_info(info, 20) != []
    for name, value in change.items():
        setattr(info, name, value)
    assert wire.encode_info(info, 20) == []


@pytest.mark.parametrize("max_size", [0, 2, MAX_MESSAGE + 1])
def test_info_parts_of_an_impossible_size_are_not_sent(wire: Wire, max_size: int) -> None:
    assert wire.encode_info(as_c(Info("band", (SensorInfo(Kind.ACC, 1, 400),), 50.0, 1000)), max_size) == []


@given(u64, u64, st.integers(1, 42), st.data())
def test_data_is_the_same_from_c_and_python(
    wire: Wire, index: int, ticks: int, n: int, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=6 * n, max_size=6 * n))
    counts = np.array(values, np.int16).reshape(n, 6)
    expected = encode_data(index, ticks, counts)
    assert wire.encode_data(index, ticks, counts, len(expected)) == expected
    assert wire.encode_data(index, ticks, counts, len(expected) - 1) == b""


def test_data_beyond_the_limit_or_without_samples_is_not_sent(wire: Wire) -> None:
    assert len(wire.encode_data(0, 0, np.zeros((42, 6)), 1000)) == MAX_MESSAGE
    assert wire.encode_data(0, 0, np.zeros((43, 6)), 1000) == b""
    assert wire.encode_data(0, 0, np.zeros((0, 6)), 1000) == b""
    assert wire.encode_data(0, 0, np.zeros((1, 3)), 7) == b""


@given(u8, u8, u8)
def test_status_is_the_same_from_c_and_python(wire: Wire, request: int, number: int, code: int) -> None:
    message = wire.written(4, lambda out: int(wire.c.img2imu_encode_status(request, number, code, out)))
    assert message == encode_status(Status(request, number, code))


@given(messages)
def test_frames_are_the_same_from_c_and_python(wire: Wire, message: bytes) -> None:
    capacity = len(message) + 4 + (len(message) + 2) // 254
    frame = wire.encode_frame(message, capacity)
    assert frame == encode_frame(message)
    assert FrameReader().push(frame) == [message]
    assert wire.encode_frame(message, capacity - 1) == b""


@pytest.mark.parametrize("size", [0, MAX_MESSAGE + 1])
def test_what_makes_no_frame_is_not_sent(wire: Wire, size: int) -> None:
    assert wire.encode_frame(b"\1" * size, 1000) == b""


def test_the_checksum_is_the_catalogued_one(wire: Wire) -> None:
    assert wire.c.img2imu_crc(0xFFFF, b"123456789", ctypes.c_size_t(9)) == 0x29B1


# Requests.


@given(controls, st.binary(max_size=10))
def test_python_requests_are_understood_in_c(wire: Wire, control: Control, added: bytes) -> None:
    code, request = wire.decode_request(encode_control(control) + added)
    assert code == StatusCode.OK
    assert (request.request, request.request_id) == (control.kind, control.request_id)
    assert request.rate_millihertz == round((control.rate or 0) * 1000)


@given(
    st.one_of(
        st.binary(max_size=8),
        st.tuples(st.integers(0x10, 0x1F), st.binary(max_size=8)).map(
            lambda pair: bytes((pair[0],)) + pair[1]
        ),
    )
)
def test_c_and_python_agree_on_what_is_a_request(wire: Wire, message: bytes) -> None:
    code, request = wire.decode_request(message)
    try:
        decoded = decode(message)
    except MessageError:
        decoded = None
    assert (code == StatusCode.OK) == isinstance(decoded, Control)
    if code == StatusCode.UNKNOWN_REQUEST:
        assert message[0] in range(0x1C, 0x20)
    elif code == StatusCode.BAD_ARGUMENT:
        assert message[0] == Request.SET_RATE
    elif code != StatusCode.OK:
        assert len(message) < 2 or message[0] not in range(0x18, 0x20)
    if code >= 0:
        assert (request.request, request.request_id) == tuple(message[:2])


@given(st.lists(st.one_of(controls.map(encode_control), st.binary(min_size=1, max_size=16)), max_size=6))
def test_python_frames_are_received_in_c(wire: Wire, sent: list[bytes]) -> None:
    assert wire.receive(b"".join(map(encode_frame, sent))) == (sent, 0)


@given(
    st.one_of(
        st.binary(max_size=400),
        st.lists(
            st.sampled_from([b"\0", b"\xff", b"\xff" * 254, b"\1", b"\3ab", encode_frame(b"\x19\7")])
        ).map(b"".join),
    )
)
def test_c_receives_from_garbage_what_python_does(wire: Wire, garbage: bytes) -> None:
    stream = garbage + b"\0" + encode_frame(b"\x19\7")
    reader = FrameReader()
    expected = reader.push(stream)
    short = [message for message in expected if len(message) <= 16]
    found, corrupt = wire.receive(stream)
    assert found == short
    assert found[-1] == b"\x19\7"
    assert corrupt == reader.corrupt + len(expected) - len(short)


# Batches.


@given(st.integers(1, 3).map(lambda count: 3 * count), st.integers(26, 600), st.data())
def test_batches_are_full_messages_that_number_every_sample(
    wire: Wire, axes: int, capacity: int, data: st.DataObject
) -> None:
    buffer = (ctypes.c_uint8 * capacity)()
    batch = CBatch()
    assert wire.c.img2imu_batch_init(
        ctypes.byref(batch), buffer, ctypes.c_size_t(capacity), ctypes.c_uint8(axes)
    )
    full = (min(capacity, MAX_MESSAGE) - 8) // (2 * axes)
    index, waiting = 0, 0
    for _ in range(data.draw(st.integers(1, 30))):
        step = data.draw(st.sampled_from(["add", "add", "add", "add", "flush", "skip"]))
        if step == "add":
            for _ in range(data.draw(st.integers(1, 5))):
                counts = np.full(axes, index % 1000, np.int16)
                length = wire.c.img2imu_batch_add(
                    ctypes.byref(batch),
                    ctypes.c_uint64(2**32 - 5000 + 1000 * index),
                    counts.ctypes.data_as(ctypes.c_void_p),
                )
                index, waiting = index + 1, waiting + 1
                assert bool(length) == (waiting == full)
                if length:
                    check_batch(bytes(buffer)[:length], index, waiting, axes)
                    waiting = 0
        elif step == "flush":
            length = wire.c.img2imu_batch_flush(ctypes.byref(batch))
            assert bool(length) == bool(waiting)
            if length:
                check_batch(bytes(buffer)[:length], index, waiting, axes)
            waiting = 0
        else:
            skipped = wire.c.img2imu_batch_skip(ctypes.byref(batch), ctypes.c_uint32(7))
            assert bool(skipped) == (waiting == 0)
            index += 7 if skipped else 0
        assert batch.next_index == index


def check_batch(message: bytes, end: int, n: int, axes: int) -> None:
    numbers = np.arange(end - n, end)
    counts = np.repeat((numbers % 1000).astype(np.int16)[:, None], axes, 1)
    assert message == encode_data(end - n, 2**32 - 5000 + 1000 * (end - n), counts)


@pytest.mark.parametrize(("capacity", "axes", "fits"), [(20, 6, True), (19, 6, False), (20, 0, False)])
def test_a_batch_holds_a_sample_at_least(wire: Wire, capacity: int, axes: int, fits: bool) -> None:
    batch = CBatch()
    buffer = (ctypes.c_uint8 * capacity)()
    done = wire.c.img2imu_batch_init(
        ctypes.byref(batch), buffer, ctypes.c_size_t(capacity), ctypes.c_uint8(axes)
    )
    assert bool(done) == fits


# The queue.

SEND = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t)


@given(
    st.integers(0, 300),
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from([0x11, 0x12, 0x12, 0x13]), st.binary(max_size=90)).map(
                lambda pair: bytes([pair[0]]) + pair[1]
            ),
            st.integers(0, 4),  # as many are taken
            st.integers(10, 60).map(float),  # longer ones go
        ),
        max_size=30,
    ),
)
def test_a_full_queue_drops_the_oldest_batches_whole(
    wire: Wire, capacity: int, steps: list[bytes | int | float]
) -> None:
    buffer = (ctypes.c_uint8 * (capacity + 8))(*[0xA5] * (capacity + 8))
    queue = CQueue()
    at = ctypes.byref(queue)
    wire.c.img2imu_queue_init(at, buffer, ctypes.c_size_t(capacity))
    model: list[bytes] = []
    dropped = 0
    for step in steps:
        if isinstance(step, bytes):
            fits = True
            while sum(len(message) + 2 for message in [*model, step]) > capacity:
                oldest = next((m for m in model if m[0] == 0x12), None)
                if oldest is None or len(step) + 2 > capacity:
                    fits = False
                    break
                model.remove(oldest)
                dropped += 1
            assert bool(wire.c.img2imu_queue_put(at, step, ctypes.c_size_t(len(step)))) == fits
            if fits:
                model.append(step)
            else:
                dropped += 1
        elif isinstance(step, float):
            wire.c.img2imu_queue_limit(at, ctypes.c_size_t(int(step)))
            dropped += sum(len(message) > step for message in model)
            model = [message for message in model if len(message) <= step]
        else:
            taken: list[bytes] = []

            def take(_: object, message: object, length: int, most: int = step) -> int:
                if len(taken) == most:  # noqa: B023
                    return 0
                taken.append(ctypes.string_at(message, length))  # type: ignore[arg-type]  # noqa: B023
                return 1

            assert wire.c.img2imu_queue_drain(at, SEND(take), None) == len(taken)
            assert taken == model[:step]
            model = model[step:]
        assert queue.used == sum(len(message) + 2 for message in model) <= queue.most <= capacity
        assert queue.dropped == dropped
    assert bytes(buffer)[capacity:] == b"\xa5" * 8


@given(u64.filter(lambda ticks: ticks < 2**63), u32)
def test_a_32_bit_clock_is_extended(wire: Wire, previous: int, step: int) -> None:
    now = (previous + step) % 2**32
    extended = wire.c.img2imu_extend_ticks(ctypes.c_uint64(previous), ctypes.c_uint32(now))
    assert extended == previous + step


# As firmware is built and run.


def test_the_header_works_from_cpp(tmp_path: Path) -> None:
    user = tmp_path / "user.cpp"
    user.write_text(
        '#include "img2imu_wire.h"\n'
        'static_assert(IMG2IMU_NOTIFICATION(23) == 20 && IMG2IMU_NOTIFICATION(517) == 512, "");\n'
        "int main() { return img2imu_crc(0xFFFF, nullptr, 0) != 0xFFFF; }\n"
    )
    wire_object = tmp_path / "wire.o"
    build(["-std=c99", *STRICT, "-c", str(SOURCES[0]), "-o", str(wire_object)])
    build(["-x", "c++", "-std=c++11", *STRICT, "-c", str(user), "-o", str(tmp_path / "user.o")])
    build([str(tmp_path / "user.o"), str(wire_object), "-o", str(tmp_path / "user")])
    assert subprocess.run([tmp_path / "user"], check=False).returncode == 0


BOARD = """
#include <stdio.h>
static uint32_t now = 4294967295u - 100000u; /* the clock turns over after 5 samples */
static int16_t taken;
uint32_t board_micros(void) { return now; }
uint32_t board_random(void) { return 77; }
void board_read_imu(int16_t counts[6]) {
    int axis;
    for (axis = 0; axis < 6; axis++) counts[axis] = (int16_t)(taken + axis);
    taken++;
}
static size_t room = (size_t)-1;
size_t board_room(void) { return room; }
void board_write(const uint8_t *bytes, size_t length) {
    fwrite(bytes, 1, length, stdout);
    room -= room == (size_t)-1 ? 0 : length;
}

/* Each byte from stdin comes after the sample before it; the byte after 0xFF is how many samples come now.
 * With an argument, the byte after 0xFE says how much the line takes now, in units of 16 bytes; 255: all. */
int main(int argc, char **argv) {
    int byte, samples = 0, counting = 0, stalling = 0;
    (void)argv;
    device_begin();
    while ((byte = getchar()) != EOF) {
        if (stalling) {
            room = byte == 255 ? (size_t)-1 : 16u * (size_t)byte;
            stalling = 0;
        } else if (argc > 1 && !counting && byte == 0xFE) {
            stalling = 1;
        } else if (counting) {
            for (samples = byte; samples > 0; samples--) { device_sample(); now += 20000u; }
            counting = 0;
        } else if (byte == 0xFF) {
            counting = 1;
        } else {
            device_byte((uint8_t)byte);
        }
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's device as a program from requests to frames, with the sanitizers if there are any."""
    folder = tmp_path_factory.mktemp("device")
    (sketch,) = re.findall(r"```c\n(.*?)```", (FIRMWARE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (folder / "device.c").write_text(sketch + BOARD)
    program = folder / "device"
    arguments = ["-std=c99", *STRICT, str(folder / "device.c"), *map(str, SOURCES), "-o", str(program)]
    # A compiler may know the options and lack the libraries, so that only a whole program tells.
    (folder / "probe.c").write_text("int main(void) { return 0; }\n")
    probe = [*COMPILER, *SANITIZE, str(folder / "probe.c"), "-o", str(folder / "probe")]
    sanitize = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    build([*(SANITIZE if sanitize else []), *arguments])
    return program


def talk(device: Path, stream: bytes, *arguments: str) -> tuple[list[Data | Info | Status], FrameReader]:
    """What the device says to these bytes."""
    done = subprocess.run(
        [device, *arguments],
        input=stream,
        capture_output=True,
        check=False,
        env={"ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert done.returncode == 0, done.stderr.decode()
    reader, assembler = FrameReader(), InfoAssembler()
    said: list[Data | Info | Status] = []
    for message in reader.push(done.stdout):
        decoded = decode(message)
        if isinstance(decoded, InfoPart):
            info = assembler.push(decoded)
            said += [] if info is None else [info]
        else:
            assert not isinstance(decoded, Control)
            said.append(decoded)
    return said, reader


def request(kind: Request, number: int, rate: float | None = None) -> bytes:
    return encode_frame(encode_control(Control(kind, number, rate)))


def samples(n: int) -> bytes:
    return bytes((0xFF, n))


def test_the_readme_holds_a_conversation(device: Path) -> None:
    said, reader = talk(
        device,
        request(Request.GET_INFO, 1)
        + samples(3)  # before START: the sensor is not read
        + request(Request.START, 2)
        + samples(24)
        + request(Request.SET_RATE, 3, 400.0)
        + samples(10)
        + request(Request.STOP, 4)
        + samples(3)
        + encode_frame(b"\x1e\x05")
        + request(Request.START, 6),
    )
    assert reader.corrupt == 0
    kinds = [item if isinstance(item, Status) else type(item) for item in said]
    assert kinds == [
        Info,
        Info,
        Status(Request.START, 2, StatusCode.OK),
        Info,
        *[Data] * 3,  # 10, 10, and the 4 that SET_RATE cuts off
        Status(Request.SET_RATE, 3, StatusCode.BAD_ARGUMENT),
        Data,
        Status(Request.STOP, 4, StatusCode.OK),
        Status(0x1E, 5, StatusCode.UNKNOWN_REQUEST),
        Status(Request.START, 6, StatusCode.OK),
        Info,
    ]
    first, *_, last = (item for item in said if isinstance(item, Info))
    assert (first.name, first.boot_id, first.rate, first.next_index, first.streaming) == (
        "my-band", 77, 50.0, 0, False,
    )  # fmt: skip
    assert (last.next_index, last.streaming) == (34, True)
    assert [sensor.scale for sensor in first.sensors] == pytest.approx(
        [9.80665 / 4096, np.pi / 180 / 16.4], rel=1e-6
    )
    started = next(item for item in said if isinstance(item, Info) and item.streaming)
    decoder = StreamDecoder(started)
    blocks = decoder.push_many([item for item in said if isinstance(item, Data)]) + decoder.flush()
    counts = np.concatenate([block.values for block in blocks])[:, 0] / first.sensors[0].scale
    np.testing.assert_allclose(counts, np.arange(34), atol=1e-3)
    times = np.concatenate([block.times for block in blocks])
    np.testing.assert_array_equal(times, [(4294967295 - 100000 + 20000 * k) / 1e6 for k in range(3, 37)])
    assert decoder.stats.samples_lost == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.lists(st.sampled_from(list(Request)), max_size=3).map(
                lambda kinds: b"".join(request(k, 9, 50.0 if k is Request.SET_RATE else None) for k in kinds)
            ),
            st.integers(0, 255).map(samples),
        ),
        max_size=12,
    ).map(b"".join)
)
def test_no_input_upsets_the_device(device: Path, stream: bytes) -> None:
    # Everything that it says is whole, and the samples are numbered without a gap.
    said, reader = talk(device, stream)
    assert reader.corrupt == 0
    assert isinstance(said[0], Info)
    expected = 0
    for item in said:
        if isinstance(item, Data):
            assert item.seq == expected % 2**16
            expected += len(item.payload) // 12
        elif isinstance(item, Info):
            assert item.next_index - expected in range(10)


def room(units: int) -> bytes:
    return bytes((0xFE, units))


def test_a_slow_line_loses_whole_batches_that_are_counted(device: Path) -> None:
    said, reader = talk(
        device,
        request(Request.START, 2)
        + samples(50)
        + room(0)
        + samples(250)
        + request(Request.GET_INFO, 3)
        + room(255)
        + samples(40)
        + request(Request.STOP, 4),
        "stalls",
    )
    assert reader.corrupt == 0
    data = [item for item in said if isinstance(item, Data)]
    first, _, asked, *_ = (item for item in said if isinstance(item, Info))
    assert asked.next_index == 300  # what was asked meanwhile was answered later, in its turn
    assert said[-1] == Status(Request.STOP, 4, StatusCode.OK)
    decoder = StreamDecoder(first)
    blocks = decoder.push_many(data) + decoder.flush()
    counts = np.rint(np.concatenate([block.values for block in blocks])[:, 0] / first.sensors[0].scale)
    np.testing.assert_array_equal(counts[:50], np.arange(50))
    np.testing.assert_array_equal(counts[50:], np.arange(340 - (len(counts) - 50), 340))
    assert len(counts) + decoder.stats.samples_lost == 340
    assert 250 - 80 <= decoder.stats.samples_lost <= 250 - 60  # the queue holds up to 8 batches


RADIO = """
#include <stdio.h>
#include "img2imu_device.h"
#define BEGIN(size, room) img2imu_device_begin(&device, &info, &board, message, size, waiting, room)
static uint32_t now = 1000;
static int streams, open = 1;
static uint32_t board_clock(void *c) { (void)c; return now; }
static void stream(void *c, int on) { (void)c; streams += on ? 1 : 10; }
static int notify(void *c, const uint8_t *bytes, size_t length) {
    size_t i;
    if (!open) return 0;
    (void)c;
    for (i = 0; i < length; i++) printf("%02x", bytes[i]);
    printf("\\n");
    return 1;
}
int main(void) {
    static img2imu_device device;
    static uint8_t message[IMG2IMU_DATA_SIZE(10, 3)], waiting[400];
    const int16_t counts[3] = {1, 2, 3};
    const img2imu_board board = {notify, board_clock, stream, NULL, NULL};
    img2imu_info info = {"band", 7, 99, 99, 1000, 50000, 1, 1, {{IMG2IMU_ACC, 1, 400}}};
    int i;
    if (BEGIN(sizeof message, 60)) return 1;
    if (BEGIN(13, sizeof waiting)) return 2;
    info.sensor_count = 0;
    if (BEGIN(sizeof message, sizeof waiting)) return 3;
    info.sensor_count = 1;
    puts("begin");
    if (!BEGIN(sizeof message, sizeof waiting)) return 4;
    img2imu_device_sample(&device, 1000, counts); /* nobody listens */
    img2imu_device_message(&device, (const uint8_t *)"\\x19\\x05", 2);
    img2imu_device_message(&device, (const uint8_t *)"\\x19\\x06", 2);
    now = 2000;
    for (i = 0; i < 10; i++) { /* from a FIFO */
        img2imu_device_sample(&device, (uint32_t)(1800 + 20 * i), counts);
    }
    img2imu_device_sample(&device, 2020, counts);
    img2imu_device_missed(&device, 5);
    puts("closed");
    open = 0;
    for (i = 0; i < 14; i++) img2imu_device_sample(&device, (uint32_t)(2140 + 20 * i), counts);
    img2imu_device_set_limit(&device, 20); /* the batch of 10 will never fit now, nor the 4 after it */
    open = 1;
    puts("small");
    for (i = 0; i < 3; i++) img2imu_device_sample(&device, (uint32_t)(2420 + 20 * i), counts);
    puts("stop");
    now = 2480;
    img2imu_device_stop(&device);
    img2imu_device_stop(&device);
    return device.queue.dropped == 2 && streams == 11 ? 0 : 5;
}
"""


def test_over_a_radio_messages_follow_the_mtu(tmp_path: Path) -> None:
    (tmp_path / "radio.c").write_text(RADIO)
    program = tmp_path / "radio"
    build(["-std=c99", *STRICT, str(tmp_path / "radio.c"), *map(str, SOURCES), "-o", str(program)])
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    closed, small, stop = (words.index(word) for word in ("closed", "small", "stop"))
    assembler = InfoAssembler()
    parts = [decode(bytes.fromhex(word)) for word in words[stop + 1 :]]
    (told,) = filter(None, (assembler.push(part) for part in parts if isinstance(part, InfoPart)))
    assert (told.streaming, told.next_index, told.ticks, told.boot_id) == (False, 33, 2480, 7)
    assert all(len(word) <= 40 for word in words[small + 1 :])
    early = [decode(bytes.fromhex(word)) for word in words[words.index("begin") + 1 : closed]]
    assert [item for item in early if isinstance(item, Status)] == [
        Status(Request.START, 5, StatusCode.OK), Status(Request.START, 6, StatusCode.OK),
    ]  # fmt: skip
    late = [decode(bytes.fromhex(word)) for word in words[small + 1 : stop]]
    numbers = [
        (item.seq, item.ticks, len(item.payload) // 6) for item in [*early, *late] if isinstance(item, Data)
    ]
    assert numbers == [(0, 1800, 10), (10, 2020, 1), (30, 2420, 2)]
