"""What PROTOCOL.md says in numbers is what the code does."""

import re
from binascii import crc_hqx
from pathlib import Path

import numpy as np
import pytest
from img2imu_bridge.wire.framing import MAX_FRAME, FrameReader, encode_frame
from img2imu_bridge.wire.messages import (
    MAX_MESSAGE,
    MAX_NAME,
    Control,
    Data,
    Info,
    InfoAssembler,
    InfoPart,
    Kind,
    MessageType,
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

DOCUMENT = (Path(__file__).parents[2] / "firmware_bridge" / "PROTOCOL.md").read_text(encoding="utf-8")

EXAMPLES = {
    name: [
        bytes.fromhex("".join(line.split(";")[0] for line in paragraph.splitlines()))
        for paragraph in text.split("\n\n")
    ]
    for name, text in re.findall(r"```hex ([a-z-]+)\n(.*?)```", DOCUMENT, re.DOTALL)
}

INFO = Info(
    name="band",
    sensors=(SensorInfo(Kind.ACC, 980_665, 409_600_000), SensorInfo(Kind.GYR, 1_064_225, 1_000_000_000)),
    rate=50.0,
    ticks_per_second=1_000_000,
    boot_id=0x5EED0001,
    ticks=3_000_000,
    next_index=150,
    streaming=True,
)
COUNTS = np.array([[0, 0, 4096, 1, -2, 3]], np.int16)
DATA = encode_data(300, 6_000_000, COUNTS)
START = Control(Request.START, 7)

MEANT = {
    "data": [DATA],
    "info": encode_info(INFO),
    "status": [encode_status(Status(Request.START, 7, StatusCode.OK))],
    "get-info": [encode_control(Control(Request.GET_INFO, 1))],
    "start": [encode_control(START)],
    "stop": [encode_control(Control(Request.STOP, 8))],
    "set-rate": [encode_control(Control(Request.SET_RATE, 9, 100.0))],
    "crc": [b"123456789" + crc_hqx(b"123456789", 0xFFFF).to_bytes(2, "little")],
    "start-frame": [encode_frame(encode_control(START))],
    "data-frame": [encode_frame(DATA)],
}


def table(*columns: str) -> list[list[str]]:
    """The rows of the table with these columns."""
    header = "| " + " | ".join(columns) + " |\n"
    assert DOCUMENT.count(header) == 1
    lines = DOCUMENT.split(header)[1].splitlines()[1:]
    rows = lines[: lines.index("")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_example_is_known() -> None:
    assert EXAMPLES.keys() == MEANT.keys()


@pytest.mark.parametrize("name", MEANT)
def test_examples_are_what_the_encoders_write(name: str) -> None:
    assert [example.hex(" ") for example in EXAMPLES[name]] == [meant.hex(" ") for meant in MEANT[name]]


def test_examples_are_what_the_decoders_read() -> None:
    assert decode(EXAMPLES["data"][0]) == Data(300, 6_000_000, COUNTS.tobytes())
    assert decode(EXAMPLES["status"][0]) == Status(Request.START, 7, StatusCode.OK)
    assert decode(EXAMPLES["set-rate"][0]) == Control(Request.SET_RATE, 9, 100.0)
    assert FrameReader().push(EXAMPLES["data-frame"][0]) == EXAMPLES["data"]
    assembler = InfoAssembler()
    parts = [decode(part) for part in EXAMPLES["info"]]
    infos = [assembler.push(part) for part in parts if isinstance(part, InfoPart)]
    assert infos == [None, None, None, INFO]


def test_the_table_of_types_is_complete() -> None:
    listed = {(int(byte.strip("`"), 16), name) for byte, name, *_ in table("byte", "name", "from", "purpose")}
    assert listed == {(kind.value, kind.name) for kind in [*MessageType, *Request]}


def test_ble_throughput() -> None:
    rows = table("MTU", "samples per message", "message bytes", "bytes per sample")
    for mtu, samples, size, per_sample in rows:
        room = min(int(mtu) - 3, MAX_MESSAGE)
        n = (room - 8) // 12
        message = encode_data(0, 0, np.zeros((n, 6), np.int16))
        assert (samples, size, per_sample) == (str(n), str(len(message)), f"{len(message) / n:.1f}")


def test_serial_throughput() -> None:
    for n, size, per_sample, slow, fast in table(
        "samples per message",
        "frame bytes, at most",
        "bytes per sample",
        "samples/s at 115200 baud",
        "samples/s at 921600 baud",
    ):
        # No zero but the flags', so that COBS needs as many code bytes as it ever does.
        frame = encode_frame(encode_data(0x0101, 0x01010101, np.full((int(n), 6), 0x0101, np.int16)))
        assert size == str(len(frame))
        assert per_sample == f"{len(frame) / int(n):.1f}"
        assert slow == str(11_520 * int(n) // len(frame))
        assert fast == str(92_160 * int(n) // len(frame))


def test_limits_are_those_of_the_code() -> None:
    assert f"A message is 2 to {MAX_MESSAGE} bytes long" in DOCUMENT
    assert f"length of the name, at most {MAX_NAME}" in DOCUMENT
    assert "longest frame is 512 + 2 + 3 bytes and the zero" in DOCUMENT
    assert MAX_FRAME == 512 + 2 + 3
