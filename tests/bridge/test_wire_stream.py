import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from img2imu_bridge.benchmark import parse_throughput
from img2imu_bridge.wire.messages import Data, Info, Kind, SensorInfo, decode, encode_data
from img2imu_bridge.wire.stream import StreamDecoder

from img2imu_edge.errors import SourceError
from img2imu_edge.samples import SampleBlock

INFO = Info("band", (SensorInfo(Kind.ACC, 1, 1),), 50.0, 1_000_000, boot_id=7, streaming=True)


@dataclass
class Wearable:
    """A device whose samples say their own number: x holds its low 15 bits, y the next, z what remains."""

    index: int = 0
    ticks: float = 0
    period: float = 20_000

    def info(self, **changes: Any) -> Info:
        return replace(INFO, next_index=self.index, ticks=round(self.ticks), **changes)

    def skip(self, n: int) -> None:
        self.index += n
        self.ticks += n * self.period

    def message(self, n: int) -> Data:
        numbers = np.arange(self.index, self.index + n)
        counts = np.stack([numbers & 0x7FFF, numbers >> 15 & 0x7FFF, numbers >> 30], 1).astype(np.int16)
        decoded = decode(encode_data(self.index, math.floor(self.ticks), counts))
        assert isinstance(decoded, Data)
        self.skip(n)
        return decoded

    def messages(self, sizes: list[int]) -> list[Data]:
        return [self.message(n) for n in sizes]


def numbers(blocks: list[SampleBlock]) -> list[int]:
    """The samples' numbers, in the order in which they came."""
    return [int(x) + (int(y) << 15) + (int(z) << 30) for block in blocks for x, y, z in block.values]


def times(blocks: list[SampleBlock]) -> np.ndarray:
    return np.concatenate([block.times for block in blocks]) if blocks else np.empty(0)


def check_accounts(decoder: StreamDecoder, blocks: list[SampleBlock], first: int, sent: set[int]) -> None:
    """Every sample up to the last one received is received once or counted as lost, in the right place."""
    received = numbers(blocks)
    expected = first
    for block in blocks:
        ours = numbers([block])
        assert ours[0] == expected + block.lost
        assert ours == list(range(ours[0], ours[-1] + 1))
        expected = ours[-1] + 1
    assert set(received) <= sent
    assert decoder.stats.samples_received == len(received)
    assert decoder.stats.samples_lost == sum(block.lost for block in blocks)
    assert decoder.stats.samples_received + decoder.stats.samples_lost == expected - first
    assert np.all(np.diff(times(blocks)) > 0)


def push_in_runs(decoder: StreamDecoder, messages: list[Data], runs: list[int]) -> list[SampleBlock]:
    blocks, position, turn = [], 0, 0
    while position < len(messages):
        run = messages[position : position + runs[turn % len(runs)]]
        blocks += decoder.push_many(run)
        position += len(run)
        turn += 1
    return blocks + decoder.flush()


# Just before the sample number wraps at 2**16, the clock at 2**32, both, or neither.
starts = st.sampled_from([(0, 0), (65_500, 20_000 * 7), (3, 2**32 - 90_001), (2**33 - 20, 2**40 - 300_007)])
batches = st.lists(st.integers(1, 84), min_size=1, max_size=40)
small_batches = st.lists(st.integers(1, 20), min_size=1, max_size=40)
runs = st.lists(st.integers(1, 9), min_size=1, max_size=5)


@given(starts, batches, runs)
def test_every_sample_has_its_exact_time_and_value_through_every_wrap(
    start: tuple[int, int], sizes: list[int], runs: list[int]
) -> None:
    wearable = Wearable(*start)
    decoder = StreamDecoder(wearable.info())
    blocks = push_in_runs(decoder, wearable.messages(sizes), runs)
    total = sum(sizes)
    assert numbers(blocks) == list(range(start[0], start[0] + total))
    np.testing.assert_array_equal(times(blocks), [(start[1] + k * 20_000) / 1e6 for k in range(total)])
    assert decoder.stats.samples_lost == decoder.stats.duplicates == decoder.stats.corrupt == 0
    assert decoder.stats.messages == len(sizes)


@given(starts, batches, st.data(), runs, st.sampled_from([0, 1, 4]))
def test_lost_messages_are_counted_to_the_sample(
    start: tuple[int, int], sizes: list[int], data: st.DataObject, runs: list[int], depth: int
) -> None:
    wearable = Wearable(*start)
    decoder = StreamDecoder(wearable.info(), reorder_depth=depth)
    kept: list[Data] = []
    sent: set[int] = set()
    for n in sizes:
        first, message = wearable.index, wearable.message(n)
        if data.draw(st.booleans(), label="kept"):
            kept.append(message)
            sent.update(range(first, first + n))
    blocks = push_in_runs(decoder, kept, runs)
    check_accounts(decoder, blocks, start[0], sent)
    assert set(numbers(blocks)) == sent
    np.testing.assert_array_equal(
        times(blocks), [(start[1] + (k - start[0]) * 20_000) / 1e6 for k in numbers(blocks)]
    )


@given(starts, batches, st.data(), runs)
def test_messages_up_to_four_places_late_are_put_in_order(
    start: tuple[int, int], sizes: list[int], data: st.DataObject, runs: list[int]
) -> None:
    wearable = Wearable(*start)
    decoder = StreamDecoder(wearable.info())
    sent = wearable.messages([5, *sizes])
    waiting, shuffled = sent[1:], sent[:1]
    while waiting:
        # A message that four others overtook must come now.
        due = waiting[0].seq
        overtaken = sum(1 for message in shuffled if (message.seq - due) % 2**16 < 2**15)
        shuffled.append(waiting.pop(data.draw(st.integers(0, min(4 - overtaken, len(waiting) - 1)))))
    blocks = push_in_runs(decoder, shuffled, runs)
    check_accounts(decoder, blocks, start[0], set(range(start[0], wearable.index)))
    assert decoder.stats.samples_lost == 0
    assert (decoder.stats.reordered > 0) == (shuffled != sent)


@given(starts, small_batches, st.data(), runs)
def test_whatever_is_lost_repeated_or_late_every_sample_counts_once(
    start: tuple[int, int], sizes: list[int], data: st.DataObject, runs: list[int]
) -> None:
    wearable = Wearable(*start)
    decoder = StreamDecoder(wearable.info(), reorder_depth=data.draw(st.integers(0, 5)))
    sent, arrived = set(range(start[0], start[0] + 3)), []
    first = wearable.message(3)
    for place, n in enumerate(sizes):
        message = wearable.message(n)
        for _ in range(data.draw(st.sampled_from([1, 1, 1, 0, 2, 3]), label="copies")):
            sent.update(range(wearable.index - n, wearable.index))
            arrived.append((place + data.draw(st.sampled_from([0, 0, 1, 3, 9]), label="delay"), message))
    arrived.sort(key=lambda pair: pair[0])
    messages = [first, *(message for _, message in arrived)]
    blocks = push_in_runs(decoder, messages, runs)
    check_accounts(decoder, blocks, start[0], sent)
    assert decoder.stats.messages == len(messages)
    assert decoder.stats.corrupt == 0
    one_by_one = StreamDecoder(Wearable(*start).info(), reorder_depth=decoder._order._depth)
    again = push_in_runs(one_by_one, messages, [1])
    assert numbers(again) == numbers(blocks)
    assert times(again).tolist() == times(blocks).tolist()
    assert one_by_one.stats == decoder.stats


@given(starts, st.integers(0, 100_000), st.integers(1, 42), st.integers(0, 4))
def test_a_gap_of_more_than_65536_samples_is_counted_exactly(
    start: tuple[int, int], gap: int, n: int, depth: int
) -> None:
    # The clock turns after 214748 samples at 20 ms, so that half a turn is 107374.
    wearable = Wearable(*start)
    decoder = StreamDecoder(wearable.info(), reorder_depth=depth)
    blocks = decoder.push(wearable.message(n))
    wearable.skip(gap)
    blocks += decoder.push(wearable.message(n)) + decoder.flush()
    assert sum(block.lost for block in blocks) == gap
    assert times(blocks)[-1] == (start[1] + (gap + 2 * n - 1) * 20_000) / 1e6


@given(st.integers(-9, 9), st.integers(20_000, 100_000))
def test_a_long_gap_is_exact_though_the_true_rate_is_not_nominal(percent: int, gap: int) -> None:
    wearable = Wearable(period=20_000 * (1 + percent / 100))
    decoder = StreamDecoder(wearable.info(), reorder_depth=0)
    decoder.push(wearable.message(10))
    wearable.skip(min(gap, int(2**31 / wearable.period) - 10))
    expected = wearable.index - 10
    (block,) = decoder.push(wearable.message(10))
    assert block.lost == expected


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20), st.integers(0, 4))
def test_overlapping_messages_give_each_sample_once(before: int, overlap: int, new: int, depth: int) -> None:
    wearable = Wearable()
    decoder = StreamDecoder(wearable.info(), reorder_depth=depth)
    blocks = decoder.push(wearable.message(before))
    overlap = min(before, overlap)
    wearable.skip(-overlap)
    blocks += decoder.push(wearable.message(overlap + new)) + decoder.push(wearable.message(3))
    assert numbers(blocks) == list(range(wearable.index))
    check_accounts(decoder, blocks, 0, set(range(wearable.index)))
    assert decoder.stats.duplicates == 1


def test_a_message_repeated_while_held_is_counted() -> None:
    wearable = Wearable()
    decoder = StreamDecoder(wearable.info())
    first, late, ahead = wearable.messages([2, 2, 2])
    # However often it is repeated, it takes one place of the four.
    blocks = decoder.push_many([first, *[ahead] * 9, late])
    assert numbers(blocks) == list(range(6))
    assert (decoder.stats.duplicates, decoder.stats.reordered) == (8, 1)


def test_a_gap_shows_when_more_messages_wait_than_allowed() -> None:
    wearable = Wearable()
    decoder = StreamDecoder(wearable.info(), reorder_depth=2)
    first, missing, *others = wearable.messages([2, 3, 1, 1, 1])
    assert len(decoder.push(first)) == 1
    assert decoder.push_many(others[:2]) == []
    (block,) = decoder.push(others[2])
    assert (block.lost, numbers([block])) == (3, [5, 6, 7])
    assert decoder.push(missing) == []
    assert (decoder.stats.duplicates, decoder.stats.samples_lost) == (1, 3)


# Clock.


@given(st.integers(-9, 9), st.integers(1, 42), st.integers(5, 60))
def test_the_true_rate_is_learnt(percent: int, n: int, count: int) -> None:
    period = 20_000 * (1 + percent / 100)
    wearable = Wearable(period=period)
    decoder = StreamDecoder(wearable.info())
    blocks = push_in_runs(decoder, wearable.messages([n] * count), [3])
    assert np.all(np.diff(times(blocks)) > 0)
    # The first message cannot know better than nominal; from the second on all is known.
    late = times(blocks)[2 * n :]
    truth = (np.arange(2 * n, count * n) * period) / 1e6
    np.testing.assert_allclose(late, truth, rtol=0, atol=2e-6)


@given(
    st.lists(st.tuples(st.integers(1, 42), st.integers(-30_000, 30_000)), min_size=2, max_size=60),
    st.sampled_from([0.93, 1.0, 1.05]),
    runs,
)
def test_jittered_stamps_keep_times_increasing_and_near_and_independent_of_runs(
    stamps: list[tuple[int, int]], factor: float, runs: list[int]
) -> None:
    wearable = Wearable(period=20_000 * factor)
    messages: list[Data] = []
    last = -1
    for n, jitter in stamps:
        message = wearable.message(n)
        last = max(last + 1, message.ticks + jitter if messages else message.ticks)
        messages.append(replace(message, ticks=last))
    decoder = StreamDecoder(INFO)
    blocks = push_in_runs(decoder, messages, runs)
    assert decoder.stats.corrupt == decoder.breaks == 0
    check_accounts(decoder, blocks, 0, set(range(wearable.index)))
    truth = np.arange(wearable.index) * wearable.period / 1e6
    # Jitter, and what it does to a period learnt from few messages, over one message's length.
    assert np.max(np.abs(times(blocks) - truth)) < 0.03 + 0.2 * 42 * 0.02
    again = push_in_runs(StreamDecoder(INFO), messages, [1])
    assert times(again).tolist() == times(blocks).tolist()


@given(st.sampled_from([(1000, 104.0), (32_768, 50.0), (1000, 833.0), (1_000_000, 59.5)]), batches)
@example((1000, 104.0), [6, 27, 6, 26, 1])  # a stamp that falls just short of its whole tick
def test_a_clock_too_coarse_for_the_rate_changes_nothing(clock: tuple[int, float], sizes: list[int]) -> None:
    info = replace(INFO, ticks_per_second=clock[0], rate=clock[1])
    wearable = Wearable(period=info.period)
    decoder = StreamDecoder(info)
    blocks = push_in_runs(decoder, wearable.messages(sizes), [2])
    truth = np.arange(wearable.index) / clock[1]
    assert np.max(np.abs(times(blocks) - truth)) < 1 / clock[0] + 1e-9
    assert decoder._clock.period == info.period


def test_ticks_become_the_decimal_that_they_are() -> None:
    wearable = Wearable(ticks=60_000)
    decoder = StreamDecoder(wearable.info())
    assert times(decoder.push(wearable.message(4))).tolist() == [0.06, 0.08, 0.1, 0.12]


@given(st.tuples(*[st.integers(-(2**15), 2**15 - 1)] * 3), st.integers(0, 4), st.integers(1, 999))
def test_a_decimal_scale_gives_what_parsing_the_decimal_gives(
    counts: tuple[int, ...], digits: int, factor: int
) -> None:
    info = replace(INFO, sensors=(SensorInfo(Kind.ACC, factor, 10**digits),))
    message = decode(encode_data(0, 0, np.array([counts], np.int16)))
    assert isinstance(message, Data)
    (block,) = StreamDecoder(info).push(message)
    expected = [np.float32(float(f"{count * factor}e-{digits}")) for count in counts]
    assert block.values.dtype == np.float32
    assert block.values[0].tolist() == expected


def test_a_value_between_two_floats_is_rounded_once() -> None:
    # 2**25 - 1 lies half way between two float32; multiplying by a rounded scale would leave that place.
    info = replace(INFO, sensors=(SensorInfo(Kind.ACC, 2**25 - 1, 27),))
    (block,) = StreamDecoder(info).push(Data(0, 0, np.array([27, 0, -27], "<i2").tobytes()))
    assert block.values[0].tolist() == [2.0**25, 0.0, -(2.0**25)]


def test_each_sensor_has_its_own_scale() -> None:
    info = replace(INFO, sensors=(SensorInfo(Kind.GYR, 1, 400), SensorInfo(Kind.ACC, 980_665, 409_600_000)))
    message = decode(encode_data(0, 0, np.array([[1, 2, 3, 4096, 0, -4096]], np.int16)))
    assert isinstance(message, Data)
    (block,) = StreamDecoder(info).push(message, received=12.5)
    expected = np.array([[0.0025, 0.005, 0.0075, 9.80665, 0, -9.80665]], np.float32)
    np.testing.assert_array_equal(block.values, expected)
    assert block.channels == ("gyr_x", "gyr_y", "gyr_z", "acc_x", "acc_y", "acc_z")
    assert block.received == 12.5


# Reconnects and INFO.


def test_a_batch_begun_before_the_info_is_taken_whole() -> None:
    wearable = Wearable(1000, 5_000_000)
    info = replace(wearable.info(), next_index=1006, ticks=5_115_000)
    decoder = StreamDecoder(info)
    blocks = decoder.push(wearable.message(10))
    assert numbers(blocks) == list(range(1000, 1010))
    assert decoder.stats.samples_lost == 0


@given(st.integers(0, 30), st.integers(0, 4))
def test_samples_missed_right_after_the_info_count_as_lost(missed: int, depth: int) -> None:
    wearable = Wearable(1000, 5_000_000)
    decoder = StreamDecoder(wearable.info(), reorder_depth=depth)
    wearable.skip(missed)
    blocks = decoder.push(wearable.message(5)) + decoder.flush()
    assert [block.lost for block in blocks] == [missed]


@given(st.integers(0, 2**40), st.integers(1, 42), st.integers(0, 42), st.integers(0, 20))
def test_an_unplugged_device_that_went_on_is_counted(gap: int, n: int, early: int, missed: int) -> None:
    wearable = Wearable(ticks=77)
    decoder = StreamDecoder(wearable.info())
    blocks = decoder.push(wearable.message(n))
    first = wearable.index + gap + missed
    wearable.skip(gap + early)  # part of the next batch, which is under way when the INFO is sent
    info = wearable.info()
    wearable.skip(first - wearable.index)
    blocks += decoder.resync(info)
    blocks += decoder.push(wearable.message(n)) + decoder.flush()
    assert decoder.stats.samples_lost == first - n
    assert times(blocks)[-1] == (77 + (first + n - 1) * 20_000) / 1e6
    assert decoder.breaks == 0


def test_what_is_held_when_the_link_breaks_is_not_forgotten() -> None:
    wearable = Wearable()
    decoder = StreamDecoder(wearable.info())
    first, _, held = wearable.messages([2, 3, 4])
    blocks = decoder.push_many([first, held])
    wearable.skip(1000)
    (block,) = decoder.resync(wearable.info())
    assert (block.lost, numbers([block])) == (3, [5, 6, 7, 8])
    (block,) = decoder.push(wearable.message(1)) + decoder.flush()
    assert block.lost == 1000
    assert len(blocks) == 1
    assert decoder.stats.samples_lost == 1003


def test_a_repeated_info_changes_nothing() -> None:
    wearable = Wearable(period=20_400)
    plain, asked = StreamDecoder(wearable.info()), StreamDecoder(wearable.info())
    expected: list[SampleBlock] = []
    blocks: list[SampleBlock] = []
    for _ in range(20):
        message = wearable.message(5)
        expected += plain.push(message)
        blocks += asked.push(message) + asked.resync(wearable.info())
    assert numbers(blocks) == numbers(expected)
    assert times(blocks).tolist() == times(expected).tolist()
    assert asked.stats == plain.stats


def test_stop_and_start_leave_a_gap_in_time_without_loss() -> None:
    wearable = Wearable()
    decoder = StreamDecoder(wearable.info())
    blocks = decoder.push(wearable.message(5))
    wearable.ticks += 3_600e6  # an hour is most of a turn of the clock
    blocks += decoder.resync(wearable.info(streaming=False))
    wearable.ticks += 3_600e6
    blocks += decoder.push(wearable.message(5))
    assert [block.lost for block in blocks] == [0, 0]
    assert times(blocks)[5] == 7200.1
    assert decoder.breaks == 0


def test_a_host_that_starts_long_after_the_info_loses_nothing() -> None:
    wearable = Wearable(1000, 5_000_000)
    decoder = StreamDecoder(wearable.info(streaming=False))
    wearable.ticks += 1310.72e6  # just the time of 65536 samples
    (block,) = decoder.push(wearable.message(5))
    assert (block.lost, block.times[0]) == (0, 1315.72)


def test_a_new_rate_comes_with_an_info() -> None:
    wearable = Wearable()
    decoder = StreamDecoder(wearable.info())
    blocks = decoder.push(wearable.message(5))
    wearable.period = 10_000
    blocks += decoder.resync(wearable.info(rate=100.0))
    blocks += decoder.push(wearable.message(5))
    assert times(blocks).tolist() == [0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.11, 0.12, 0.13, 0.14]


def test_other_channels_need_a_new_stream() -> None:
    decoder = StreamDecoder(INFO)
    with pytest.raises(SourceError, match="gyr_x"):
        decoder.resync(replace(INFO, sensors=(SensorInfo(Kind.GYR, 1, 1),)))


@pytest.mark.parametrize(
    ("received", "pause"),
    [((100.0, 103.0), 3.0), ((math.nan, 103.0), None), ((100.0, math.nan), None), ((100.0, 100.0), None)],
)
def test_after_a_reboot_times_go_on_by_what_the_host_saw_pass(
    received: tuple[float, float], pause: float | None
) -> None:
    wearable = Wearable(4000, 80e6)
    decoder = StreamDecoder(wearable.info())
    blocks = decoder.push(wearable.message(5), received[0])
    rebooted = Wearable(30, 600_123)
    blocks += decoder.resync(rebooted.info(boot_id=8))
    rebooted.skip(2)
    blocks += decoder.push_many(rebooted.messages([5, 5]), received[1]) + decoder.flush()
    assert numbers(blocks) == [*range(4000, 4005), *range(32, 42)]
    assert [block.lost for block in blocks] == [0, 2]
    # The last sample of the first message after the reboot came that long after the last one before it.
    last, then = blocks[0].times[-1], blocks[1].times
    assert then[4] - last == pytest.approx(pause or 0.1, abs=1e-9)
    np.testing.assert_allclose(np.diff(then), 0.02, rtol=0, atol=1e-9)


def test_a_clock_with_another_unit_after_a_reboot() -> None:
    wearable = Wearable(4000, 80e6)
    decoder = StreamDecoder(wearable.info())
    blocks = decoder.push(wearable.message(2), 10.0)
    rebooted = Wearable(period=20)
    blocks += decoder.resync(rebooted.info(boot_id=8, ticks_per_second=1000))
    blocks += decoder.push(rebooted.message(2), 11.0)
    assert times(blocks).tolist() == [80, 80.02, 81, 81.02]


@pytest.mark.parametrize("stale", [{"next_index": 3}, {"ticks": 3}])
def test_a_boot_id_that_stayed_the_same_by_mistake_does_not_turn_time_back(stale: dict[str, Any]) -> None:
    wearable = Wearable(4000, 80e6)
    decoder = StreamDecoder(wearable.info())
    blocks = decoder.push(wearable.message(2))
    info = replace(wearable.info(), **stale)
    rebooted = Wearable(info.next_index, info.ticks)
    blocks += decoder.resync(info) + decoder.push(rebooted.message(2))
    assert times(blocks).tolist() == [80, 80.02, 80.04, 80.06]
    assert decoder.stats.samples_lost == 0


# Messages that do not fit.


@pytest.mark.parametrize("size", [0, 1, 2, 5, 7])
def test_a_message_of_no_whole_number_of_samples_is_counted_as_corrupt(size: int) -> None:
    decoder = StreamDecoder(INFO)
    assert decoder.push(Data(0, 0, bytes(size))) == []
    assert (decoder.stats.corrupt, decoder.stats.messages, decoder.stats.samples_received) == (1, 1, 0)


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_a_stray_message_is_not_believed_however_often_it_is_said(seq: int, ticks: int, copies: int) -> None:
    wearable = Wearable(70_000, 2**33)
    decoder = StreamDecoder(wearable.info())
    stray = Data(seq, ticks, bytes(6))
    blocks = decoder.push(wearable.message(5))
    if decoder._line.locate(seq, ticks, 20_000) is not None:
        return  # it happens to fit
    blocks += decoder.push_many([stray] * copies)
    blocks += decoder.push_many(wearable.messages([5, 5])) + decoder.flush()
    check_accounts(decoder, blocks, 70_000, set(range(70_000, 70_015)))
    assert len(numbers(blocks)) == 15
    assert (decoder.stats.corrupt, decoder.stats.duplicates, decoder.breaks) == (1, copies - 1, 0)
    assert len(decoder.stats.warnings) == 1


def test_a_pause_without_info_keeps_the_time_of_the_device() -> None:
    wearable = Wearable()
    decoder = StreamDecoder(wearable.info())
    sent = wearable.messages([5])
    wearable.ticks += 30e6
    sent += wearable.messages([5, 5])
    blocks = decoder.push_many(sent, 40.0)
    assert numbers(blocks) == list(range(15))
    assert times(blocks)[5] == 30.1
    assert [block.lost for block in blocks] == [0, 0]
    assert decoder.breaks == len(decoder.stats.warnings) == 1
    blocks += decoder.push(wearable.message(5))
    check_accounts(decoder, blocks, 0, set(range(20)))


@pytest.mark.parametrize(
    ("before", "host"),
    [
        (2e6, (50.0, 51.0)),
        (600e6, (50.0, 51.0)),
        (600e6, (math.nan, math.nan)),
        (2_400e6, (50.0, 51.0)),
        (2**32 - 20e6, (50.0, 51.0)),
    ],
    # A device that samples from power-up on is, after 600 s, where its numbers say that it was long ago.
    ids=[
        "another line",
        "back on its line",
        "host not looking",
        "seemingly ahead, against the host's clock",
        "a little ahead, but without room for what its number says was lost",
    ],
)
def test_a_restart_without_info_goes_on_in_time(before: float, host: tuple[float, float]) -> None:
    wearable = Wearable(30_000, before)
    decoder = StreamDecoder(wearable.info())
    blocks = decoder.push_many(wearable.messages([20] * 50), host[0])
    rebooted = Wearable(12, 240_000)
    for message in rebooted.messages([5, 5, 5]):
        blocks += decoder.push(message, host[1])
    assert numbers(blocks) == [*range(30_000, 31_000), *range(12, 27)]
    passed = times(blocks)[1004] - times(blocks)[999]
    assert passed == pytest.approx(1.0 if host[1] == 51.0 else 0.1)
    assert decoder.stats.samples_lost == decoder.stats.corrupt == 0
    assert decoder.breaks == len(decoder.stats.warnings) == 1


@given(st.sampled_from([8_000, 40_000, 70_000]), st.integers(1, 80), st.integers(3, 30))
def test_a_device_whose_rate_is_nothing_like_it_says_is_still_heard(period: int, n: int, count: int) -> None:
    wearable = Wearable(period=period)
    decoder = StreamDecoder(wearable.info())
    blocks = push_in_runs(decoder, wearable.messages([n] * count), [2])
    received = numbers(blocks)
    assert received == list(range(len(received)))
    assert len(received) >= (count - 1) * n
    assert decoder.stats.samples_lost == 0
    assert np.all(np.diff(times(blocks)) > 0)
    # Message starts are the device's word, but where the one before was stretched over them.
    assert np.all(np.abs(times(blocks)[::n] - np.arange(0, len(received), n) * period / 1e6) < n * 0.02)


def test_a_clock_that_stands_still_is_said_so() -> None:
    decoder = StreamDecoder(INFO)
    stuck = [replace(message, ticks=0) for message in Wearable().messages([5] * 10)]
    blocks = decoder.push_many(stuck) + decoder.flush()
    assert numbers(blocks) == list(range(5))
    assert decoder.stats.corrupt == 9
    assert "clock" in decoder.stats.warnings[0]


@given(
    st.lists(
        st.tuples(st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 40)), max_size=30
    ),
    runs,
)
def test_garbage_never_turns_time_back_nor_counts_a_sample_twice(
    noise: list[tuple[int, int, int]], runs: list[int]
) -> None:
    messages = [Data(seq, ticks, bytes(2 * values)) for seq, ticks, values in noise]
    decoder = StreamDecoder(INFO)
    blocks = push_in_runs(decoder, messages, runs)
    assert np.all(np.diff(times(blocks)) > 0)
    assert decoder.stats.samples_received == sum(map(len, blocks))
    assert decoder.stats.samples_lost == sum(block.lost for block in blocks)
    again = StreamDecoder(INFO)
    push_in_runs(again, messages, [1])
    assert again.stats == decoder.stats


def test_the_benchmark_counts_samples_and_messages() -> None:
    found = parse_throughput()
    assert found["parse_samples_per_s"] > found["parse_lone_messages_per_s"] > 0  # ten samples in a message
    assert found["parse_bytes_per_s"] > 12 * found["parse_samples_per_s"]  # six axes of two bytes
