"""Packets in, timed samples out: whatever gets lost, comes twice, wraps or drifts on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_bridge.profiles import Packet, Stream
from img2imu_bridge.timeline import Timeline
from img2imu_bridge.timing import Run
from img2imu_bridge.timing.merge import Companion

from img2imu_edge.samples import SampleBlock
from img2imu_edge.source import LinkStats

ACC = ("acc_x", "acc_y", "acc_z")
GYR = ("gyr_x", "gyr_y", "gyr_z")


@dataclass(frozen=True)
class Maker:
    """A device that samples its own sample numbers, by a clock that is off, over a link that is late."""

    stream: Stream
    samples: int = 5  # in a packet
    skew: float = 0.0  # how much faster it samples than it says, by the host's clock
    clock_skew: float = 0.0  # how much faster its clock runs than the host's
    ticks_from: int = 0
    number_from: int = 0
    jitter: float = 0.02  # seconds
    seed: int = 0

    @property
    def rate(self) -> float:
        return self.stream.rate * (1 + self.skew)

    def packet(self, number: int, *, restarted: int = 0) -> Packet:
        """The packet of this number; of a device that began anew at packet `restarted`."""
        first = number * self.samples
        stamped = first if self.stream.stamps == "first" else first + self.samples - 1
        since = stamped - restarted * self.samples
        ticks = int(since / self.rate * (1 + self.clock_skew) * self.stream.ticks_per_second)
        counted = (number - restarted) * (self.samples if self.stream.sequence_counts == "samples" else 1)
        values = np.repeat(np.arange(first, first + self.samples, dtype=np.float32)[:, None], 3, axis=1)
        return Packet(
            self.stream.name,
            values,
            (counted + self.number_from) % (1 << self.stream.sequence_bits)
            if self.stream.sequence_bits
            else None,
            (ticks + self.ticks_from) % (1 << self.stream.tick_bits) if self.stream.tick_bits else None,
        )

    def arrivals(self, numbers: range, held: tuple[float, float] = (0.0, 0.0)) -> Iterator[tuple[int, float]]:
        """When each packet arrives, in order; none while the link is `held`."""
        rng = np.random.default_rng(self.seed)
        latest = -math.inf
        for number in numbers:
            made = ((number + 1) * self.samples - 1) / self.rate
            at = made + rng.exponential(self.jitter / 3)
            if held[0] <= made < held[1]:
                at = max(at, held[1])
            latest = max(latest, at + 1000.0)
            yield number, latest


def joined(blocks: list[SampleBlock]) -> tuple[np.ndarray, np.ndarray]:
    if not blocks:
        return np.empty(0), np.empty((0, 3))
    return np.concatenate([b.times for b in blocks]), np.concatenate([b.values for b in blocks])


def check_no_gap_inside(blocks: list[SampleBlock]) -> None:
    """Sample numbers are the values: within a block they count on; before it, `lost` are missing."""
    end = None
    for block in blocks:
        numbers = block.values[:, 0]
        assert (np.diff(numbers) == 1).all()
        if end is not None:
            assert numbers[0] - end - 1 == block.lost
        end = numbers[-1]


STAMPED = Stream("acc", ACC, 50.0, tick_bits=32, ticks_per_second=1000.0)
NUMBERED = Stream("acc", ACC, 50.0, sequence_bits=8)
BARE = Stream("acc", ACC, 50.0)

KINDS = {
    "first": STAMPED,
    "last": replace(STAMPED, stamps="last"),
    "u16": replace(STAMPED, tick_bits=16),
    "u24": replace(STAMPED, tick_bits=24, ticks_per_second=32768.0),
    "u64": replace(STAMPED, tick_bits=64, ticks_per_second=1e9, stamps="last"),
    "both": replace(STAMPED, sequence_bits=8),
    "both, samples": replace(STAMPED, sequence_bits=16, sequence_counts="samples"),
    "u8 packets": NUMBERED,
    "u16 samples": replace(NUMBERED, sequence_bits=16, sequence_counts="samples"),
}

skews = st.floats(-300e-6, 300e-6)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    samples=st.integers(1, 12),
    skew=skews,
    clock_skew=skews,
    start=st.integers(0, 1 << 70),
    lost=st.sets(st.integers(2, 298), max_size=90),
    doubled=st.sets(st.integers(0, 299), max_size=30),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    seed=st.integers(0, 99),
)
def test_every_sample_once_or_lost(
    kind: str,
    samples: int,
    skew: float,
    clock_skew: float,
    start: int,
    lost: set[int],
    doubled: set[int],
    cuts: list[int],
    seed: int,
) -> None:
    stream = KINDS[kind]
    maker = Maker(stream, samples, skew, clock_skew, start, start, seed=seed)
    sent = [
        (maker.packet(number), at)
        for number, at in maker.arrivals(range(300))
        if number not in lost
        for _ in range(1 + (number in doubled))
    ]
    stats = LinkStats()
    timeline = Timeline([stream], stats)
    blocks = [block for packet, at in sent for block in timeline.push([packet], at)] + timeline.flush()
    check_no_gap_inside(blocks)
    assert stats.samples_received + stats.samples_lost == 300 * samples
    assert stats.samples_received == (300 - len(lost)) * samples
    assert stats.duplicates == sum(number not in lost for number in doubled)
    assert stats.corrupt == stats.reordered == 0
    times, values = joined(blocks)
    assert (np.diff(times) > 0).all()
    if stream.tick_bits:  # what rounding the stamps does, and a packet at a rate not learned yet
        true = values[:, 0] / maker.rate * (1 + clock_skew)
        off = times - true
        unlearned = samples / stream.rate * 1e-3
        assert np.ptp(off) < 2.5 / stream.ticks_per_second + 4 * np.spacing(times[-1]) + unlearned
    else:  # the link's jitter
        off = times - values[:, 0] / maker.rate
        assert np.ptp(off) < 5 * maker.jitter

    # The same however the packets come; packets that arrived apart keep their times of arrival.
    other = LinkStats()
    timeline = Timeline([stream], other)
    together = []
    position, turn = 0, 0
    while position < len(sent):
        at = sent[position][1]
        end = position + 1
        while end < len(sent) and sent[end][1] == at and end - position < cuts[turn % len(cuts)]:
            end += 1
        together += timeline.push([packet for packet, _ in sent[position:end]], at)
        position, turn = end, turn + 1
    together += timeline.flush()
    assert other == stats
    for one, two in zip(joined(blocks), joined(together), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", ["both", "u8 packets", "u16 samples"])
@pytest.mark.parametrize("missing", [100, 200, 300, 700])
def test_numbers_that_turned_over_during_a_gap(kind: str, missing: int) -> None:
    maker = Maker(KINDS[kind], 2, 100e-6)
    stats = LinkStats()
    timeline = Timeline([maker.stream], stats)
    blocks = []
    for number, at in maker.arrivals(range(2000)):
        if not 1000 <= number < 1000 + missing:
            blocks += timeline.push([maker.packet(number)], at)
    blocks += timeline.flush()
    check_no_gap_inside(blocks)
    assert stats.samples_lost == 2 * missing


@pytest.mark.parametrize("kind", ["both", "u8 packets", "u16 samples", "first"])
@pytest.mark.parametrize("seconds", [1.0, 4.0, 8.0])
def test_a_slow_link_loses_nothing(kind: str, seconds: float) -> None:
    maker = Maker(KINDS[kind], 1, 100e-6)
    stats = LinkStats()
    timeline = Timeline([maker.stream], stats)
    blocks = []
    for number, at in maker.arrivals(range(2000), (20.0, 20.0 + seconds)):
        blocks += timeline.push([maker.packet(number)], at)
    blocks += timeline.flush()
    check_no_gap_inside(blocks)
    assert (stats.samples_received, stats.samples_lost) == (2000, 0)
    times, values = joined(blocks)
    assert np.ptp(times - values[:, 0] / maker.rate) < 0.06


class TestWithoutNumbers:
    def test_nothing_lost_nothing_inferred(self) -> None:
        maker = Maker(BARE, 1, 200e-6, jitter=0.05)
        stats = LinkStats()
        timeline = Timeline([BARE], stats)
        blocks = []
        for number, at in maker.arrivals(range(6000), (30.0, 32.0)):
            blocks += timeline.push([maker.packet(number)], at)
        blocks += timeline.flush()
        assert (stats.samples_received, stats.samples_lost) == (6000, 0)
        times, values = joined(blocks)
        assert np.ptp(times - values[:, 0] / maker.rate) < 0.06
        assert timeline.deviation_ppm == pytest.approx(200, abs=20)

    @pytest.mark.parametrize("missing", [20, 100, 1000])
    def test_a_silence_is_a_gap(self, missing: int) -> None:
        maker = Maker(BARE, 1, 200e-6)
        stats = LinkStats()
        timeline = Timeline([BARE], stats)
        blocks = []
        for number, at in maker.arrivals(range(4000)):
            if not 1000 <= number < 1000 + missing:
                blocks += timeline.push([maker.packet(number)], at)
        blocks += timeline.flush()
        assert stats.samples_lost == pytest.approx(missing, abs=2)
        assert [block.lost for block in blocks if block.lost] == [stats.samples_lost]
        times, values = joined(blocks)
        assert np.ptp(times - values[:, 0] / maker.rate) < 0.06

    def test_a_rate_far_from_nominal_is_learned(self) -> None:
        maker = Maker(BARE, 1, -0.2)
        timeline = Timeline([BARE], stats := LinkStats())
        for number, at in maker.arrivals(range(2000)):
            timeline.push([maker.packet(number)], at)
        assert timeline.rate == pytest.approx(40, rel=1e-4)
        assert stats.samples_lost == 0
        assert timeline.accounting == "estimated from silence"

    def test_unwatched_packets_have_the_nominal_rate(self) -> None:
        maker = Maker(BARE, 5)
        timeline = Timeline([BARE], LinkStats())
        times, _ = joined([block for n in range(10) for block in timeline.push([maker.packet(n)])])
        np.testing.assert_allclose(times, np.arange(50) / 50)


def test_the_true_rate_is_told_by_the_device_clock() -> None:
    maker = Maker(KINDS["first"], 5, skew=-0.012)
    timeline = Timeline([maker.stream], LinkStats())
    assert (timeline.rate, timeline.deviation_ppm) == (50, 0)
    assert timeline.accounting == "by time stamps"
    for number, at in maker.arrivals(range(1000)):
        timeline.push([maker.packet(number)], at)
    assert timeline.rate == pytest.approx(49.4, rel=2e-5)
    assert timeline.deviation_ppm == pytest.approx(-12_000, abs=20)


def test_a_wrong_nominal_rate_shows_no_gaps_once_it_is_noticed() -> None:
    maker = Maker(KINDS["first"], 10, skew=-0.3)
    timeline = Timeline([maker.stream], stats := LinkStats())
    for number, at in maker.arrivals(range(17)):
        timeline.push([maker.packet(number)], at)
    before = stats.samples_lost
    for number, at in maker.arrivals(range(17, 500)):
        timeline.push([maker.packet(number)], at)
    assert stats.samples_lost == before
    assert timeline.rate == pytest.approx(35, rel=1e-4)


@pytest.mark.parametrize(
    ("samples", "rate", "jitter", "numbered"),
    [(1, 100.0, 4e-3, 0), (1, 12.5, 20e-3, 0), (10, 100.0, 8e-3, 0), (1, 100.0, 9e-3, 8)],
)
def test_stamps_that_jitter_are_no_gaps(samples: int, rate: float, jitter: float, numbered: int) -> None:
    """As of a sketch that reads its clock when it gets round to it."""
    stream = replace(STAMPED, rate=rate, sequence_bits=numbered)
    maker = Maker(stream, samples, 1e-4)
    rng = np.random.default_rng(0)
    stats = LinkStats()
    timeline = Timeline([stream], stats)
    blocks, lost = [], 0
    for number, at in maker.arrivals(range(3000)):
        packet = maker.packet(number)
        late = int(rng.uniform(0, jitter * 1000))
        if 100 < number < 2999 and rng.random() < 0.02:
            lost += samples
        else:
            blocks += timeline.push([packet._replace(ticks=packet.ticks + late)], at)
    assert stats.samples_lost == pytest.approx(lost, abs=2)
    assert stats.samples_received + lost == 3000 * samples
    times, values = joined(blocks)
    assert np.ptp(times - values[:, 0] / maker.rate) < 1.4 * jitter + 1e-3


def test_a_clock_that_stands_still_between_packets_loses_none() -> None:
    stream = replace(STAMPED, ticks_per_second=10.0)  # one tick for five packets
    maker = Maker(stream, 1)
    timeline = Timeline([stream], stats := LinkStats())
    for number, at in maker.arrivals(range(500)):
        timeline.push([maker.packet(number)], at)
    assert (stats.samples_received, stats.duplicates, stats.reordered) == (500, 0, 0)


@given(
    st.integers(1, 40),
    st.lists(st.integers(1, 9), max_size=6),
    st.lists(st.floats(-1, 3), min_size=1, max_size=9),
)
def test_another_stream_is_a_straight_line_between_its_samples(
    gap: int, packets: list[int], at: list[float]
) -> None:
    """Whatever it came in; with a gap after its first packet, and nothing far outside of it."""
    companion, rng, rate = Companion(Stream("gyr", GYR, 25.0)), np.random.default_rng(gap), 25.0
    times, values = np.empty(0), np.empty((0, 3), np.float32)
    for number, count in enumerate(packets):
        begin = times[-1] + (gap if number == 1 else 1) / rate if number else 0.0
        run = Run(
            begin + np.arange(count) / rate, rng.standard_normal((count, 3)).astype(np.float32), 0, False, 0.0
        )
        companion.extend(run, -math.inf)
        times, values = np.concatenate([times, run.times]), np.concatenate([values, run.values])
    wanted = np.array(sorted(at))
    found = companion.at(wanted, rate)
    expected = np.full((len(wanted), 3), np.nan)
    for row, time in enumerate(wanted) if packets else ():
        right = min(int(np.searchsorted(times, time)), len(times) - 1)
        left = max(right - 1, 0) if times[right] > time else right
        if times[0] - 1 / rate <= time <= times[-1] + 1 / rate and times[right] - times[left] < 1.75 / rate:
            expected[row] = [np.interp(time, times, values[:, axis]) for axis in range(3)]
    edges = np.array([-1 / rate, (times[-1] if packets else 0.0) + 1 / rate])
    sure = np.abs(wanted[:, None] - edges).min(axis=1) > 1e-9  # right there, either is as good
    np.testing.assert_allclose(found[sure], expected[sure], rtol=1e-5, atol=1e-6)


class TestOrder:
    def test_late_packets_are_dropped(self) -> None:
        for stream in (STAMPED, KINDS["both"], NUMBERED):
            maker = Maker(stream)
            stats = LinkStats()
            timeline = Timeline([stream], stats)
            blocks = []
            for number in [*range(50), 52, 50, 51, *range(53, 100)]:
                blocks += timeline.push([maker.packet(number)], 1000 + number / 10)
            check_no_gap_inside(blocks)
            assert (stats.reordered, stats.duplicates, stats.samples_lost) == (2, 0, 10)
            assert stats.samples_received + stats.samples_lost == 500

    def test_every_packet_twice_as_from_two_subscriptions(self) -> None:
        for stream in (STAMPED, KINDS["both"], NUMBERED):
            maker = Maker(stream)
            stats = LinkStats()
            timeline = Timeline([stream], stats)
            blocks = []
            for number in range(0, 100, 4):
                four = [maker.packet(n) for n in range(number, number + 4)]
                blocks += timeline.push([*four, *four], 1000 + number / 10)
            check_no_gap_inside(blocks)
            assert (stats.samples_received, stats.samples_lost, stats.duplicates) == (500, 0, 100)

    def test_packets_that_do_not_fit_their_stream_are_corrupt(self) -> None:
        timeline = Timeline([KINDS["both"]], stats := LinkStats())
        good = Maker(KINDS["both"]).packet(0)
        bad = [
            good._replace(stream="gyr"),
            good._replace(values=np.zeros((2, 4), np.float32)),
            good._replace(values=np.zeros((0, 3), np.float32)),
            good._replace(ticks=None),
            good._replace(sequence=None),
        ]
        assert timeline.push(bad, 1000.0) == []
        assert (stats.corrupt, stats.messages) == (5, 5)
        assert len(timeline.push([good], 1000.0)) == 1

    def test_a_stamp_that_is_far_off_is_left_out(self) -> None:
        maker = Maker(STAMPED)
        timeline = Timeline([STAMPED], stats := LinkStats())
        blocks = []
        for number in range(50):
            packet = maker.packet(number)
            if number == 20:
                packet = packet._replace(ticks=1_000_000_000)
            blocks += timeline.push([packet], 1000 + number / 10)
        assert (stats.corrupt, stats.samples_lost, stats.samples_received) == (1, 5, 245)
        times, values = joined(blocks)
        np.testing.assert_allclose(times, values[:, 0] / 50, atol=2e-3)


class TestReconnect:
    @pytest.mark.parametrize("kind", [*sorted(KINDS), "bare"])
    @pytest.mark.parametrize("minutes", [0.1, 3, 90])
    def test_a_device_that_goes_on_sampling(self, kind: str, minutes: float) -> None:
        maker = Maker(KINDS.get(kind, BARE), 5, 50e-6, ticks_from=123456, number_from=77)
        stats = LinkStats()
        timeline = Timeline([maker.stream], stats)
        blocks = []
        away = round(minutes * 600)
        for number, at in maker.arrivals(range(200)):
            blocks += timeline.push([maker.packet(number)], at)
        blocks += timeline.reset()
        for number, at in maker.arrivals(range(200 + away, 400 + away)):
            blocks += timeline.push([maker.packet(number)], at)
        blocks += timeline.flush()
        if kind == "bare":
            assert stats.samples_lost == pytest.approx(away * 5, rel=200e-6, abs=4)
        elif maker.stream.sequence_bits:
            check_no_gap_inside(blocks)
            assert stats.samples_lost == away * 5
        else:  # the rate was learned in 20 s
            assert stats.samples_lost == pytest.approx(away * 5, rel=100e-6)
        times, values = joined(blocks)
        assert (np.diff(times) > 0).all()
        off = times - values[:, 0] / maker.rate
        assert np.ptp(off) < 0.1 + minutes * 60 * 100e-6

    @pytest.mark.parametrize("kind", sorted(KINDS))
    @pytest.mark.parametrize("announced", [True, False])
    def test_a_device_that_begins_anew(self, kind: str, announced: bool) -> None:
        maker = Maker(KINDS[kind], 5)
        stats = LinkStats()
        timeline = Timeline([maker.stream], stats)
        blocks = []
        end = 4567 if kind == "u24" else 1234  # nearly a turn: zero looks like 45 seconds ahead
        for number, at in maker.arrivals(range(end)):
            blocks += timeline.push([maker.packet(number)], at)
        if announced:
            blocks += timeline.reset()
        for number, at in maker.arrivals(range(end + 100, end + 300)):
            blocks += timeline.push([maker.packet(number, restarted=end + 100)], at)
        times, values = joined(blocks)
        assert (np.diff(times) > 0).all()
        # It was away for ten seconds. A narrow counter may pass for one that went on.
        width = {"u16": 33.0, "u8 packets": 13.0, "both": 0.1}.get(kind, 0.1)
        assert np.ptp(times - values[:, 0] / maker.rate) < width
        assert stats.samples_lost * 20e-3 == pytest.approx(10, abs=width + 1.1)

    @pytest.mark.parametrize("kind", ["both", "both, samples"])
    @pytest.mark.parametrize("announced", [True, False])
    def test_numbers_that_begin_anew_though_the_clock_goes_on(self, kind: str, announced: bool) -> None:
        stream = replace(KINDS[kind], sequence_bits=32)
        maker = Maker(stream, 5)
        timeline = Timeline([stream], stats := LinkStats())
        blocks = []
        for number, at in maker.arrivals(range(500)):
            blocks += timeline.push([maker.packet(number)], at)
        if announced:
            blocks += timeline.reset()
        for number, at in maker.arrivals(range(600, 1000)):
            packet = maker.packet(number)
            blocks += timeline.push([packet._replace(sequence=maker.packet(number - 600).sequence)], at)
        times, values = joined(blocks)
        assert len(times) == 4500
        assert np.ptp(times - values[:, 0] / 50) < 3e-3
        check_no_gap_inside(blocks)
        assert stats.samples_lost == 500

    def test_a_pause_is_no_loss_if_the_numbers_say_so(self) -> None:
        for kind in ("both", "both, samples"):
            stream = KINDS[kind]
            maker = Maker(stream, 5)
            timeline = Timeline([stream], stats := LinkStats())
            blocks = []
            for number, at in maker.arrivals(range(400)):
                paused = 20.0 * (number >= 200)  # 200 packets' time: nearer to a turn of 8 bits than to none
                packet = maker.packet(number)
                packet = packet._replace(ticks=packet.ticks + int(paused * 1000))
                blocks += timeline.push([packet], at + paused)
            assert stats.samples_received == 2000
            times, _ = joined(blocks)
            assert np.diff(times).max() > 20
            assert np.sort(np.diff(times))[-2] < 0.03
            # Numbers of packets cannot tell a pause from samples that were dropped before they were packed.
            assert stats.samples_lost == (0 if kind == "both, samples" else 1000)
            assert all((np.diff(block.times) < 0.03).all() for block in blocks)

    def test_the_timeline_never_runs_backwards(self) -> None:
        rng = np.random.default_rng(0)
        for stream in (*KINDS.values(), BARE):
            timeline = Timeline([stream], LinkStats())
            now, end = 1000.0, -math.inf
            for _ in range(500):
                now += float(rng.exponential(0.1))
                sequence = int(rng.integers(1 << stream.sequence_bits)) if stream.sequence_bits else None
                ticks = int(rng.integers(1 << min(stream.tick_bits, 40))) if stream.tick_bits else None
                values = np.zeros((int(rng.integers(1, 9)), 3), np.float32)
                blocks = timeline.push([Packet("acc", values, sequence, ticks)], now)
                if rng.random() < 0.1:
                    blocks += timeline.reset()
                for block in blocks:
                    assert block.times[0] > end
                    assert (np.diff(block.times) > 0).all()
                    end = block.times[-1]


class TestSeveralStreams:
    def streams(self, kind: Stream = STAMPED) -> tuple[Stream, Stream]:
        return kind, replace(kind, name="gyr", channels=GYR, rate=25.0)

    def play(
        self, kind: Stream, silent: range = range(0), end: int = 400
    ) -> tuple[list[SampleBlock], LinkStats]:
        acc, gyr = self.streams(kind)
        makers = Maker(acc, 5, 1e-4), Maker(gyr, 5, 1e-4, seed=1)
        stats = LinkStats()
        timeline = Timeline([acc, gyr], stats)
        coming = [(at, number, makers[0]) for number, at in makers[0].arrivals(range(end))]
        coming += [
            (at, number, makers[1])
            for number, at in makers[1].arrivals(range(end // 2))
            if number not in silent
        ]
        blocks = []
        for at, number, maker in sorted(coming, key=lambda each: each[0]):
            blocks += timeline.push([maker.packet(number)], at)
        assert timeline.channels == ACC + GYR
        return blocks + timeline.flush(), stats

    @pytest.mark.parametrize("kind", [STAMPED, KINDS["both"], BARE], ids=["stamps", "both", "bare"])
    def test_are_merged_onto_the_first(self, kind: Stream) -> None:
        blocks, stats = self.play(kind)
        _, values = joined(blocks)
        np.testing.assert_array_equal(values[:, 0], np.arange(2000))
        assert (stats.samples_received, stats.samples_lost, stats.warnings) == (2000, 0, [])
        both = np.isfinite(values[:, 3])
        assert both.mean() > 0.995
        # Half the rate, so half the number. Without stamps both are as late as their links.
        within = 0.05 if kind.tick_bits else 1.5
        np.testing.assert_allclose(values[both, 3][:-1], values[both, 0][:-1] / 2, atol=within)

    def test_one_that_dies_is_noticed_and_not_waited_for(self) -> None:
        blocks, stats = self.play(STAMPED, silent=range(100, 150))
        times, values = joined(blocks)
        assert stats.samples_received == len(times) == 2000
        lacking = np.isnan(values[:, 3])
        np.testing.assert_allclose(np.diff(times), 0.02, atol=2e-3)
        assert 490 < lacking.sum() < 560
        assert not lacking[:990].any()
        assert not lacking[1560:-5].any()
        assert any("'gyr' fell silent" in text and "gyr_x" in text for text in stats.warnings)

    def test_one_that_never_comes_holds_nothing_back_for_long(self) -> None:
        acc, gyr = self.streams()
        maker = Maker(acc)
        timeline = Timeline([acc, gyr], stats := LinkStats())
        waited = 0
        for number in range(100):
            came = sum(len(block) for block in timeline.push([maker.packet(number)], 1000 + number / 10))
            waited += 5 - came
            assert waited <= 55
        assert waited == 0
        assert len(stats.warnings) == 1

    def test_a_first_that_never_comes_is_noticed(self) -> None:
        acc, gyr = self.streams()
        maker = Maker(gyr)
        timeline = Timeline([acc, gyr], stats := LinkStats())
        for number in range(200):
            assert timeline.push([maker.packet(number)], 1000 + number / 5) == []
        assert any("'acc'" in text and "fell silent" in text for text in stats.warnings)

    def test_one_clock_that_begins_anew_stays_one(self) -> None:
        acc, gyr = self.streams()
        makers = Maker(acc, 5), Maker(gyr, 5, seed=1)
        timeline = Timeline([acc, gyr], LinkStats())
        blocks = []
        for base, restarted in ((0, 0), (6000, 6000)):
            coming = [(at, n, makers[0], restarted) for n, at in makers[0].arrivals(range(base, base + 400))]
            half = range(base // 2, base // 2 + 200)
            coming += [(at, n, makers[1], restarted // 2) for n, at in makers[1].arrivals(half)]
            for at, number, maker, anew in sorted(coming, key=lambda each: each[0]):
                blocks += timeline.push([maker.packet(number, restarted=anew)], at)
            blocks += timeline.reset()
        _, values = joined(blocks)
        both = np.isfinite(values[:, 3])
        assert both.sum() > 3950
        off = np.abs(values[both, 3] - values[both, 0] / 2)
        assert (off < 0.05).sum() >= both.sum() - 2  # at either end the nearest sample does

    def test_channels_must_differ(self) -> None:
        with pytest.raises(ValueError, match="each channel only once"):
            Timeline([STAMPED, replace(STAMPED, name="other")], LinkStats())
        with pytest.raises(ValueError, match="needs a stream"):
            Timeline([], LinkStats())


@pytest.mark.parametrize("seed", range(40))
def test_whatever_a_device_sends_time_goes_on_and_the_books_balance(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def pick(*values: float) -> float:
        return float(rng.choice(values))

    streams = [
        Stream(
            f"s{i}",
            tuple(f"c{i}{k}" for k in range(3)),
            pick(1, 10, 12.5, 52, 104, 1000),
            int(pick(0, 8, 16, 32)),
            "packets" if rng.random() < 0.5 else "samples",
            int(pick(0, 16, 24, 32, 64)),
            pick(1, 1000, 32768, 1e6, 1e9),
            "first" if rng.random() < 0.5 else "last",
        )
        for i in range(int(pick(1, 2, 3)))
    ]
    timeline = Timeline(streams, stats := LinkStats())
    numbers, clocks = [0] * len(streams), [0] * len(streams)
    blocks: list[SampleBlock] = []
    now = 1000.0
    for _ in range(300):
        now += pick(0, 0, 0, 0.001, 0.001, 0.1, 0.1, 0.1, 1, 100)
        at = int(rng.integers(len(streams)))
        stream, count = streams[at], int(pick(0, 1, 2, 5, 72))
        if rng.random() < 0.7:
            numbers[at] += 1
            clocks[at] += int(max(count, 1) * stream.ticks_per_second / stream.rate)
        else:
            numbers[at], clocks[at] = int(rng.integers(1 << 33)), int(rng.integers(1 << 62))
        packet = Packet(
            stream.name,
            rng.normal(size=(count, 3)).astype(np.float32),
            numbers[at] % (1 << stream.sequence_bits) if stream.sequence_bits else None,
            clocks[at] % (1 << stream.tick_bits) if stream.tick_bits else None,
        )
        blocks += timeline.push([packet], now if rng.random() < 0.95 else math.nan)
        if rng.random() < 0.02:
            blocks += timeline.reset()
    blocks += timeline.flush()
    times = np.concatenate([block.times for block in blocks]) if blocks else np.empty(0)
    assert np.isfinite(times).all()
    assert (np.diff(times) > 0).all()
    assert all(block.lost >= 0 and len(block) for block in blocks)
    assert stats.samples_received == len(times)
    assert stats.samples_lost == sum(block.lost for block in blocks)
