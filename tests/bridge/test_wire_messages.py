from binascii import crc_hqx
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
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
    VersionError,
    decode,
    encode_control,
    encode_data,
    encode_info,
    encode_status,
)

u8, u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
positive = st.integers(1, 2**32 - 1)
rates = positive.map(lambda millihertz: millihertz / 1000)
sensors = st.lists(st.sampled_from(Kind), min_size=1, max_size=3, unique=True).flatmap(
    lambda kinds: st.tuples(*(st.builds(SensorInfo, st.just(kind), positive, positive) for kind in kinds))
)
names = st.text(st.characters(codec="utf-8"), max_size=32).filter(lambda name: len(name.encode()) <= 32)
infos = st.builds(Info, names, sensors, rates, positive, u32, u64, u64, st.booleans())

BAND = Info("band", (SensorInfo(Kind.ACC, 1, 400),), 50.0, 1000)


def assemble(messages: list[bytes]) -> list[Info | None]:
    assembler = InfoAssembler()
    parts = [decode(message) for message in messages]
    assert all(isinstance(part, InfoPart) for part in parts)
    return [assembler.push(part) for part in parts if isinstance(part, InfoPart)]


def with_body(body: bytes) -> InfoPart:
    return InfoPart(0, True, body + crc_hqx(body, 0xFFFF).to_bytes(2, "little"))


def body_of(info: Info) -> bytearray:
    (message,) = encode_info(info, MAX_MESSAGE)
    return bytearray(message[2:-2])


@given(infos, st.integers(3, MAX_MESSAGE))
def test_info_round_trips_at_every_message_size(info: Info, size: int) -> None:
    messages = encode_info(info, size)
    assert all(len(message) <= size for message in messages)
    assert assemble(messages) == [None] * (len(messages) - 1) + [info]


@given(infos, st.data())
def test_a_repeated_info_part_does_no_harm(info: Info, data: st.DataObject) -> None:
    messages = encode_info(info)
    repeated = data.draw(st.integers(0, len(messages) - 2))
    messages.insert(repeated, messages[repeated])
    assert assemble(messages)[-1] == info


@given(infos, st.data())
def test_a_missing_info_part_costs_this_info_only(info: Info, data: st.DataObject) -> None:
    messages = encode_info(info)
    missing = data.draw(st.integers(0, len(messages) - 1))
    received = assemble(messages[:missing] + messages[missing + 1 :] + messages)
    assert received == [None] * (len(received) - 1) + [info]


@given(infos, st.data())
def test_a_damaged_info_is_refused_and_the_next_one_taken(info: Info, data: st.DataObject) -> None:
    assembler = InfoAssembler()
    body = bytearray(encode_info(info, MAX_MESSAGE)[0][2:])
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MessageError):
        assembler.push(InfoPart(0, True, bytes(body)))
    assert assembler.push(with_body(bytes(body_of(info)))) == info


@given(infos, st.binary(max_size=100))
def test_bytes_that_a_later_version_1_adds_are_skipped(info: Info, added: bytes) -> None:
    assert InfoAssembler().push(with_body(bytes(body_of(info)) + added)) == info


def test_an_endless_info_is_given_up() -> None:
    assembler = InfoAssembler()
    for index in range(5):
        assert assembler.push(InfoPart(index, False, bytes(100))) is None
    with pytest.raises(MessageError, match="longer than 512"):
        assembler.push(InfoPart(5, False, bytes(100)))
    assert assembler.push(with_body(bytes(body_of(BAND)))) == BAND


@pytest.mark.parametrize(
    ("position", "byte"),
    [
        pytest.param(24, 0, id="no rate"),
        pytest.param(20, 0, id="no clock"),
        pytest.param(29, 0, id="no sensor"),
        pytest.param(29, 2, id="a sensor too many"),
        pytest.param(29, 200, id="sensors beyond the end"),
        pytest.param(30, 0, id="kind 0"),
        pytest.param(30, 4, id="kind 4"),
        pytest.param(31, 2, id="two axes"),
        pytest.param(32, 0, id="scale zero"),
        pytest.param(36, 0, id="scale by zero"),
        pytest.param(40, 5, id="name beyond the end"),
    ],
)
def test_an_info_that_means_no_device_is_refused(position: int, byte: int) -> None:
    # Numbers below 256, so that zeroing their lowest byte leaves nothing.
    sensor = SensorInfo(Kind.ACC, 1, 7)
    body = body_of(Info("band", (sensor,), rate=0.05, ticks_per_second=9))
    body[position] = byte
    with pytest.raises(MessageError):
        InfoAssembler().push(with_body(bytes(body)))


@pytest.mark.parametrize("size", range(33))
def test_an_info_cut_short_is_refused(size: int) -> None:
    with pytest.raises(MessageError):
        InfoAssembler().push(with_body(bytes(body_of(BAND)[:size])))


def test_impossible_devices_cannot_be_described() -> None:
    for change in (
        {"sensors": ()},
        {"sensors": BAND.sensors * 2},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"rate": 2.0**32},
        {"ticks_per_second": 0},
    ):
        with pytest.raises(MessageError):
            replace(BAND, **change)
    for num, den in ((0, 1), (1, 0), (2**32, 1), (1, -1)):
        with pytest.raises(MessageError):
            SensorInfo(Kind.GYR, num, den)


def test_what_an_info_says_of_its_samples() -> None:
    info = replace(BAND, sensors=(SensorInfo(Kind.GYR, 1, 8), SensorInfo(Kind.ACC, 1, 400)), rate=104.0)
    assert info.channels == ("gyr_x", "gyr_y", "gyr_z", "acc_x", "acc_y", "acc_z")
    assert info.sample_size == 12
    assert info.period == 1000 / 104
    assert info.sensors[0].scale == 0.125


@given(st.text(max_size=40))
def test_a_long_name_is_cut_between_characters(name: str) -> None:
    (info,) = assemble(encode_info(replace(BAND, name=name), MAX_MESSAGE))
    assert info is not None
    assert name.startswith(info.name)
    assert len(name.encode()) <= 32 or 28 < len(info.name.encode()) <= 32


@pytest.mark.parametrize("size", [2, MAX_MESSAGE + 1])
def test_info_parts_have_a_possible_size(size: int) -> None:
    with pytest.raises(ValueError, match="512"):
        encode_info(BAND, size)


@given(u64, u64, st.integers(1, 42), st.data())
def test_data_round_trips_modulo_its_counters(index: int, ticks: int, n: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=6 * n, max_size=6 * n))
    counts = np.array(values, np.int16).reshape(n, 6)
    message = encode_data(index, ticks, counts)
    assert len(message) == 8 + 12 * n
    decoded = decode(message)
    assert decoded == Data(index % 2**16, ticks % 2**32, message[8:])
    assert isinstance(decoded, Data)
    np.testing.assert_array_equal(np.frombuffer(decoded.payload, "<i2").reshape(n, 6), counts)


def test_data_is_little_endian_whatever_the_array_is() -> None:
    counts = np.array([[1, -2, 0x0304]], ">i2")
    assert encode_data(0x0102, 0x03040506, counts).hex(" ") == "12 00 02 01 06 05 04 03 01 00 fe ff 04 03"


@pytest.mark.parametrize(
    ("counts", "error"),
    [
        (np.zeros((0, 6), np.int16), ValueError),
        (np.zeros((43, 6), np.int16), ValueError),
        (np.zeros(6, np.int16), ValueError),
        (np.zeros((1, 6), np.int32), TypeError),
        (np.zeros((1, 6)), TypeError),
    ],
)
def test_data_that_makes_no_message_is_refused(counts: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode_data(0, 0, counts)


@given(u8, u8, u8, st.binary(max_size=16))
def test_status_round_trips_and_ignores_additions(request: int, number: int, code: int, added: bytes) -> None:
    status = Status(request, number, code)
    assert decode(encode_status(status) + added) == status


@given(st.sampled_from(Request), u8, rates, st.binary(max_size=16))
def test_controls_round_trip_and_ignore_additions(
    kind: Request, number: int, rate: float, added: bytes
) -> None:
    control = Control(kind, number, rate if kind is Request.SET_RATE else None)
    assert decode(encode_control(control) + added) == control


@pytest.mark.parametrize(
    "control",
    [
        Control(Request.START, 0, 50.0),
        *(Control(Request.SET_RATE, 0, rate) for rate in (None, 0.0, -1.0, 1e-4, 4294967.296, float("nan"))),
    ],
)
def test_a_request_with_the_wrong_argument_is_refused(control: Control) -> None:
    with pytest.raises(ValueError, match=r"rate|SET_RATE"):
        encode_control(control)


@given(st.binary(max_size=600))
def test_any_bytes_decode_or_raise_message_error(message: bytes) -> None:
    try:
        decoded = decode(message)
    except MessageError:
        return
    # What decodes means the same when it is said again.
    if isinstance(decoded, Data):
        assert message[8:] == decoded.payload
        assert len(decoded.payload) >= 2
    elif isinstance(decoded, Status):
        assert message.startswith(encode_status(decoded))
    elif isinstance(decoded, Control):
        assert message.startswith(encode_control(decoded))
    else:
        assert message[2:] == decoded.payload


@given(st.sampled_from([0x11, 0x12, 0x13, 0x18, 0x19, 0x1A, 0x1B]), st.binary(min_size=1, max_size=20))
def test_other_versions_are_told_apart_from_garbage(kind: int, rest: bytes) -> None:
    with pytest.raises(VersionError, match="version 2"):
        decode(bytes((kind + 0x10,)) + rest)


@pytest.mark.parametrize(
    "message",
    ["", "12", "1200000000000000", "120000000000000001", "130000", "1b0000", "1b0000000000", "1c00", "1000"],
)
def test_malformed_messages_are_refused(message: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode(bytes.fromhex(message))
    assert not isinstance(caught.value, VersionError)


def test_messages_longer_than_the_limit_are_refused() -> None:
    longest = bytes((0x12, 0)) + bytes(510)
    assert isinstance(decode(longest), Data)
    with pytest.raises(MessageError, match="512"):
        decode(longest + bytes(2))


def test_transports_may_reuse_their_buffers() -> None:
    buffer = bytearray(encode_data(1, 2, np.ones((1, 3), np.int16)))
    decoded = decode(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert decoded == Data(1, 2, b"\1\0" * 3)
