from __future__ import annotations

import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_training.datasets.catalogue import PublicSet, RemoteFile, read_catalogue
from img2imu_training.datasets.cli import fetch_command
from img2imu_training.datasets.convert import stretches, write_npz
from img2imu_training.datasets.download import checksum, download
from img2imu_training.datasets.fetch import fetch
from img2imu_training.datasets.unpack import unpack
from img2imu_training.recordings import NO_LABEL, Corpus, TrainingSession, read_npz
from typer.testing import CliRunner

from img2imu_edge.errors import DownloadError, RecordingError, TrainingError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE, STANDARD_GRAVITY

CATALOGUE = read_catalogue()
RNG = np.random.default_rng(0)


class Server(ThreadingHTTPServer):
    """A genuine web server on loopback, with the faults of real ones."""

    files: ClassVar[dict[str, bytes]] = {}
    ranges: ClassVar[bool] = True
    break_after: ClassVar[list[int]] = []
    requests: ClassVar[list[str | None]] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.requests.append(self.headers.get("Range"))
        data = server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = 0
        asked = self.headers.get("Range")
        if asked and server.ranges and self.headers.get("If-Range") == '"v1"':
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        rest = data[start:]
        if server.break_after:
            rest = rest[: server.break_after.pop(0)]
            self.close_connection = True
        self.wfile.write(rest)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    Server.files, Server.break_after, Server.requests, Server.ranges = {}, [], [], True
    with Server(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def remote(server: Server, data: bytes, name: str = "set.zip", mb: int = 10, sha256: str = "") -> RemoteFile:
    server.files[f"/{name}"] = data
    return RemoteFile(f"http://127.0.0.1:{server.server_port}/{name}", name, mb, sha256)


def zipped(files: dict[str, bytes | str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


# --- download ---


def test_a_download_is_kept_and_not_repeated(server: Server, tmp_path: Path) -> None:
    data = RNG.bytes(700_000)
    calls: list[tuple[int, int]] = []
    file = remote(server, data)
    path = download(file, tmp_path / "d", "home", lambda *counts: calls.append(counts))
    assert path.read_bytes() == data
    assert calls[-1] == (700_000, 700_000)
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["set.zip"]
    download(file, tmp_path / "d", "home")
    assert len(server.requests) == 1
    assert download(replace(file, sha256=checksum(path)), tmp_path / "d", "home") == path
    with pytest.raises(DownloadError, match=r"not the expected file.*delete it and run again"):
        download(replace(file, sha256="0" * 64), tmp_path / "d", "home")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_continued(server: Server, tmp_path: Path, ranges: bool) -> None:
    data = RNG.bytes(900_000)
    Server.ranges = ranges
    Server.break_after = [300_000, 200_000]
    path = download(remote(server, data), tmp_path, "home", pause_s=0.01)
    assert path.read_bytes() == data
    expected = [None, "bytes=300000-", "bytes=500000-" if ranges else "bytes=200000-"]
    assert server.requests == expected


def test_a_run_continues_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    data = RNG.bytes(500_000)
    Server.break_after = [200_000] + [0] * 9
    file = remote(server, data)
    with pytest.raises(DownloadError, match="broke off after 200000 of 500000"):
        download(file, tmp_path, "home", attempts=2, pause_s=0.01)
    assert (tmp_path / "set.zip.part").stat().st_size == 200_000
    Server.break_after, Server.requests = [], []
    assert download(file, tmp_path, "home").read_bytes() == data
    assert server.requests == ["bytes=200000-"]


def test_offline_says_what_to_do(tmp_path: Path) -> None:
    closed = RemoteFile("http://127.0.0.1:9/set.zip", "set.zip", 1)
    with pytest.raises(DownloadError) as caught:
        download(closed, tmp_path, "home", attempts=2, pause_s=0.01)
    assert str(caught.value).startswith("cannot reach 127.0.0.1:9 (")
    assert f"download http://127.0.0.1:9/set.zip by hand to {tmp_path / 'set.zip'} and run again" in str(
        caught.value
    )


def test_what_is_not_the_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"answers 404 Not Found; look at home for where it moved"):
        download(
            replace(remote(server, b""), url=f"http://127.0.0.1:{server.server_port}/no"), tmp_path, "home"
        )
    large = remote(server, bytes(12_000_000), "large.zip", mb=1)
    with pytest.raises(DownloadError, match="sends more than 10 MB where about 1"):
        download(large, tmp_path, "home")
    with pytest.raises(ValueError, match="no http or https"):
        RemoteFile("file:///etc/passwd", "x", 1)
    with pytest.raises(ValueError, match="no plain file name"):
        RemoteFile("http://a/b", "../x", 1)


# --- unpacking ---


def test_nested_archives_and_only_what_is_wanted(tmp_path: Path) -> None:
    inner = zipped({"Set/a/1.csv": "one", "Set/readme.txt": "no"})
    archive = tmp_path / "outer.zip"
    archive.write_bytes(zipped({"Set.zip": inner, "b/2.csv": "two", "x.bin": b"0"}))
    assert unpack(archive, tmp_path / "out", ("*/*.csv",), 10_000) == 2
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert found == ["Set/a/1.csv", "b/2.csv"]


@pytest.mark.parametrize(
    "name", ["../evil.csv", "/evil.csv", "a/../../evil.csv", "C:/evil.csv", "..\\evil.csv"]
)
def test_a_path_that_leaves_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped({name: "bad"}))
    with pytest.raises(DownloadError, match="outside of its folder"):
        unpack(archive, tmp_path / "out", ("*.csv",), 100)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["..", ".", "a", "", "C:"]), min_size=1, max_size=5), st.booleans())
def test_nothing_lands_outside(tmp_path_factory: pytest.TempPathFactory, parts: list[str], tar: bool) -> None:
    folder = tmp_path_factory.mktemp("unpack")
    archive, name = folder / "a.archive", "/".join([*parts, "evil.csv"])
    if tar:
        with tarfile.open(archive, "w:gz") as made:
            info = tarfile.TarInfo(name)
            info.size = 3
            made.addfile(info, io.BytesIO(b"bad"))
    else:
        archive.write_bytes(zipped({name: "bad"}))
    target = folder / "deep" / "out"
    with suppress(DownloadError):
        unpack(archive, target, ("*.csv",), 100)
    landed = list(folder.rglob("evil.csv"))
    assert all(target in p.parents for p in landed)
    assert not (folder.parent / "evil.csv").exists()


def test_links_are_passed_over_and_sizes_bounded(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as made:
        link = tarfile.TarInfo("link.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(link)
    assert unpack(archive, tmp_path / "out", ("*.csv",), 100) == 0
    bomb = tmp_path / "bomb.zip"
    bomb.write_bytes(zipped({"a/zeros.csv": bytes(5_000_000)}))
    with pytest.raises(DownloadError, match="holds more than it should"):
        unpack(bomb, tmp_path / "out", ("*.csv",), 1_000_000)
    (tmp_path / "no.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(DownloadError, match="no archive that can be unpacked"):
        unpack(tmp_path / "no.zip", tmp_path / "out", ("*",), 100)


# --- converters: each on an archive of the set's documented layout ---


def rows(values: np.ndarray, separator: str = " ") -> str:
    return "\n".join(separator.join(f"{v:.6g}" for v in row) for row in values) + "\n"


def smooth(samples: int, rate: float, axes: int) -> np.ndarray:
    """Slow waves, so that interpolation can be judged."""
    time = np.arange(samples)[:, None] / rate
    return np.sin(2 * np.pi * (0.3 + 0.1 * np.arange(axes)) * time + np.arange(axes))


def motionsense() -> bytes:
    body = smooth(150, 50, 12)
    lines = [",".join(map(str, [i, *row])) for i, row in enumerate(body)]
    text = '"",' + ",".join(f"c{i}" for i in range(12)) + "\n" + "\n".join(lines)
    names = ("dws_1/sub_1", "wlk_7/sub_1", "wlk_7/sub_12")
    shadow: dict[str, bytes | str] = {"__MACOSX/A_DeviceMotion_data/dws_1/._sub_1.csv": b"\0"}
    return zipped(shadow | {f"A_DeviceMotion_data/{name}.csv": text for name in names})


def sp_sw() -> bytes:
    times = 1657533977810 + np.cumsum(RNG.integers(8, 13, 500))
    values = smooth(500, 100, 6)
    header = "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label\n"
    lines = [
        ",".join(map(str, [*row, time, "SEATED" if i < 250 else "WALKING"]))
        for i, (row, time) in enumerate(zip(values, times, strict=True))
    ]
    text = header + "\n".join(lines) + "\n"
    names = [f"s0{p}/s0{p}_01_{device}" for p in (1, 2) for device in ("sw", "sp")]
    return zipped({f"sp-sw-har-dataset-1408/DATA/{name}.csv": text for name in names})


def uci_har() -> bytes:
    files: dict[str, bytes | str] = {}
    for part, people in (("train", (1, 3)), ("test", (2,))):
        windows, who, what = [], [], []
        for person in people:
            course = smooth(64 * 6, 50, 6) + 0.01 * person
            windows += [course[64 * k : 64 * k + 128] for k in range(5)]
            who += [person] * 5
            what += [1, 1, 1, 5, 5]  # two activities: the windows across the change are there all the same
        stacked = np.array(windows)
        folder = f"UCI HAR Dataset/{part}"
        files[f"{folder}/subject_{part}.txt"] = "\n".join(map(str, who))
        files[f"{folder}/y_{part}.txt"] = "\n".join(map(str, what))
        files[f"{folder}/X_{part}.txt"] = "never unpacked"
        for i, (signal, axis) in enumerate((s, a) for s in ("total_acc", "body_gyro") for a in "xyz"):
            files[f"{folder}/Inertial Signals/{signal}_{axis}_{part}.txt"] = rows(stacked[..., i])
    return zipped({"UCI HAR Dataset.zip": zipped(files), "UCI HAR Dataset.names": "names"})


def hapt() -> bytes:
    files: dict[str, bytes | str] = {"RawData/labels.txt": "1 1 5 11 60\n1 1 7 61 80\n2 1 1 1 100\n"}
    for experiment in (1, 2):
        for sensor in ("acc", "gyro"):
            files[f"RawData/{sensor}_exp0{experiment}_user01.txt"] = rows(smooth(100, 50, 3))
    return zipped(files)


def wisdm() -> bytes:
    files: dict[str, bytes | str] = {"wisdm-dataset/activity_key.txt": "walking = A"}
    for person in (1600, 1601):
        for sensor, lag in (("accel", 0), ("gyro", 10_000_000)):
            lines = []
            for number, code in enumerate("AQ"):
                start = 252_207_666_810_782 + number * 400_000_000_000 + lag
                if person == 1601 and code == "Q" and sensor == "gyro":
                    start += 10**15  # another clock
                for i, row in enumerate(smooth(100, 20, 3)):
                    at = start + i * 50_000_000
                    lines.append(f"{person},{code},{at},{row[0]:.6f},{row[1]:.4E},{row[2]:.6f};")
            files[f"wisdm-dataset/raw/watch/{sensor}/data_{person}_{sensor}_watch.txt"] = "\n".join(lines)
    return zipped({"wisdm-dataset.zip": zipped(files)})


def pamap2() -> bytes:
    table = np.zeros((600, 54))
    table[:, 0] = 8.38 + np.arange(600) / 100
    table[:, 1] = np.where(np.arange(600) < 200, 0, 24)
    table[:, 3:] = smooth(600, 100, 51)
    table[300:302, 4] = np.nan  # a short loss, and a long one
    table[400:450, 4:13] = np.nan
    text = rows(table).replace("nan", "NaN")
    return zipped({"PAMAP2_Dataset.zip": zipped({"PAMAP2_Dataset/Protocol/subject101.dat": text})})


def mhealth() -> bytes:
    table = np.concatenate([smooth(200, 50, 23), np.repeat([0, 1, 12, 0], 50)[:, None]], axis=1)
    names = [f"MHEALTHDATASET/mHealth_subject{n}.log" for n in (1, 10)]
    return zipped(dict.fromkeys(names, rows(table, "\t")) | {"MHEALTHDATASET/README.txt": "read me"})


ARCHIVES = {
    "motionsense": motionsense,
    "sp-sw-watch": sp_sw,
    "sp-sw-phone": sp_sw,
    "uci-har": uci_har,
    "hapt": hapt,
    "wisdm-watch": wisdm,
    "pamap2": pamap2,
    "mhealth": mhealth,
}


def fetched(name: str, folder: Path) -> Corpus:
    """As if the archive had been brought by hand."""
    public = CATALOGUE[name]
    public = replace(public, files=(replace(public.files[0], sha256=""),))
    (folder / "downloads").mkdir(parents=True)
    (folder / "downloads" / public.files[0].name).write_bytes(ARCHIVES[name]())
    got = fetch(name, public, folder)
    assert got.notes[0].startswith(f"checksum of {public.files[0].name} not known; got SHA-256 ")
    corpus = read_npz(got.path)
    assert corpus.rate == public.rate
    assert len(corpus.classes) == public.classes
    assert len(corpus.channels) == public.axes
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]  # what was unpacked is gone
    return corpus


@pytest.mark.parametrize("name", sorted(ARCHIVES))
def test_every_set_becomes_a_corpus(name: str, tmp_path: Path) -> None:
    corpus = fetched(name, tmp_path / "data")
    assert len({session.name for session in corpus.sessions}) == len(corpus.sessions)
    for session in corpus.sessions:
        assert np.isfinite(session.values).all()
        assert session.labels.max() < len(corpus.classes)
        assert session.labels.min() >= NO_LABEL
    assert CATALOGUE[name].licence in str(corpus.about["meta"])


def session(corpus: Corpus, name: str) -> TrainingSession:
    (found,) = [one for one in corpus.sessions if one.name == name]
    return found


def test_motionsense_turns_gravity_up(tmp_path: Path) -> None:
    corpus = fetched("motionsense", tmp_path)
    assert corpus.subjects == ("01", "12")
    body = smooth(150, 50, 12)
    walk = session(corpus, "wlk_7/sub_12")
    expected = -STANDARD_GRAVITY * (body[:, 3:6] + body[:, 9:12])
    np.testing.assert_allclose(walk.values[:, :3], expected, atol=2e-3)
    np.testing.assert_allclose(walk.values[:, 3:], body[:, 6:9], atol=1e-4)
    assert corpus.classes[walk.labels[0]] == "walking"


def test_sp_sw_takes_one_device_onto_a_grid(tmp_path: Path) -> None:
    corpus = fetched("sp-sw-watch", tmp_path)
    assert [one.name for one in corpus.sessions] == ["s01_01_sw", "s02_01_sw"]
    first = corpus.sessions[0]
    assert len(first.values) == pytest.approx(250, abs=15)
    change = np.flatnonzero(np.diff(first.labels))
    assert len(change) == 1
    assert change[0] == pytest.approx(125, abs=8)
    assert [corpus.classes[i] for i in np.unique(first.labels)] == ["seated", "walking"]


def test_uci_har_joins_the_halves(tmp_path: Path) -> None:
    corpus = fetched("uci-har", tmp_path)
    assert corpus.subjects == ("01", "02", "03")
    first = session(corpus, "train/0")
    assert len(first.values) == 128 + 2 * 64
    course = smooth(64 * 6, 50, 6) + 0.01
    course[:, :3] *= STANDARD_GRAVITY
    np.testing.assert_allclose(first.values, course[:256], atol=2e-3)
    assert len(session(corpus, "train/3").values) == 192
    assert corpus.classes[session(corpus, "train/3").labels[0]] == "standing"


def test_hapt_labels_count_from_one(tmp_path: Path) -> None:
    corpus = fetched("hapt", tmp_path)
    labels = session(corpus, "exp01").labels
    assert labels.tolist() == [NO_LABEL] * 10 + [4] * 50 + [6] * 20 + [NO_LABEL] * 20


def test_wisdm_pairs_sensors_whose_clocks_agree(tmp_path: Path) -> None:
    corpus = fetched("wisdm-watch", tmp_path)
    assert {one.name for one in corpus.sessions} == {"1600/walking", "1600/writing", "1601/walking"}
    walk = session(corpus, "1600/walking").values
    np.testing.assert_allclose(walk[:, :3], smooth(100, 20, 3)[: len(walk)], atol=1e-3)
    late = smooth(1000, 200, 3)[: 10 * len(walk) : 10]
    shifted = np.stack(
        [np.interp(np.arange(len(walk)) / 20 - 0.01, np.arange(len(late)) / 20, c) for c in late.T], 1
    )
    np.testing.assert_allclose(walk[5:90, 3:], shifted[5:90], atol=0.02)


def test_pamap2_bridges_short_losses_and_parts_at_long_ones(tmp_path: Path) -> None:
    corpus = fetched("pamap2", tmp_path)
    assert [(one.name, len(one.values)) for one in corpus.sessions] == [
        ("subject101", 400),
        ("subject101-2", 150),
    ]
    first = corpus.sessions[0]
    body = smooth(600, 100, 51)
    np.testing.assert_allclose(first.values[:, :3], body[:400, 1:4], atol=0.02)
    np.testing.assert_allclose(first.values[:, 3:], body[:400, 7:10], atol=0.02)
    assert first.labels[0] == NO_LABEL
    assert corpus.classes[first.labels[-1]] == "rope_jumping"


def test_mhealth_takes_the_arm(tmp_path: Path) -> None:
    corpus = fetched("mhealth", tmp_path)
    assert corpus.subjects == ("01", "10")
    first = corpus.sessions[0]
    np.testing.assert_allclose(first.values, smooth(200, 50, 23)[:, 14:17], atol=1e-3)
    assert first.labels.tolist() == [NO_LABEL] * 50 + [0] * 50 + [11] * 50 + [NO_LABEL] * 50


def test_another_layout_is_told(tmp_path: Path) -> None:
    public = replace(CATALOGUE["mhealth"], options={})
    (tmp_path / "downloads").mkdir()
    archive = tmp_path / "downloads" / "mhealth.zip"
    archive.write_bytes(zipped({"elsewhere.csv": "1,2"}))
    with pytest.raises(RecordingError, match=r"holds no \*/mHealth_subject\*\.log; see https"):
        fetch("mhealth", public, tmp_path)
    archive.write_bytes(zipped({"M/mHealth_subject1.log": "1 2 3\n"}))
    with pytest.raises(RecordingError, match=r"mHealth_subject1\.log is not laid out as documented"):
        fetch("mhealth", public, tmp_path)


def test_a_corpus_survives_its_file(tmp_path: Path, corpus: Corpus) -> None:
    few = replace(corpus, sessions=corpus.sessions[:5])
    write_npz(tmp_path / "few.npz", few)
    again = read_npz(tmp_path / "few.npz")
    assert (again.classes, again.rate, again.channels) == (few.classes, few.rate, few.channels)
    for before, after in zip(few.sessions, again.sessions, strict=True):
        assert (before.name, before.subject) == (after.name, after.subject)
        np.testing.assert_array_equal(before.labels, after.labels)
        np.testing.assert_allclose(before.values, after.values, atol=5e-3)


def test_samples_that_run_back_or_are_missing_part_a_stretch() -> None:
    times = np.concatenate([np.arange(200) / 100, [1.5, 1.6], 5 + np.arange(200) / 100])
    values = np.zeros((len(times), 6))
    values[50] = np.nan
    labels = np.zeros(len(times), np.int16)
    made = list(stretches("a", "p", times, values, labels, 50.0))
    assert [(one.name, len(one.values)) for one in made] == [("a", 100), ("a-2", 100)]
    assert list(stretches("a", "p", times[:1], values[:1], labels[:1], 50.0)) == []
    assert len(ACCELEROMETER + GYROSCOPE) == made[0].values.shape[1]


# --- the command ---


def test_the_command_lists_and_fetches(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()
    app.command()(fetch_command)
    listed = CliRunner().invoke(app, [], env={"COLUMNS": "200"})
    assert listed.exit_code == 0
    for name, public in CATALOGUE.sets.items():
        assert name in listed.output
        assert public.licence.split()[0] in listed.output
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(
        Path(read_catalogue.__globals__["CATALOGUE"])
        .read_text()
        .replace("https://archive.ics.uci.edu/static/public/319", f"http://127.0.0.1:{server.server_port}")
    )
    server.files["/mhealth+dataset.zip"] = mhealth()
    monkeypatch.setattr(read_catalogue, "__defaults__", (catalogue,))
    done = CliRunner().invoke(app, ["mhealth", "--to", str(tmp_path / "data")], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.exception
    assert "2 people, 12 classes" in done.output
    assert "checksum of mhealth.zip not known" in done.output
    assert "Banos" in done.output
    assert read_npz(tmp_path / "data" / "mhealth.npz").name == "mhealth"
    unknown = CliRunner().invoke(app, ["mhelth"])
    assert isinstance(unknown.exception, RecordingError)


def test_the_catalogue_is_strict(tmp_path: Path) -> None:
    bad = tmp_path / "catalogue.toml"
    bad.write_text('[sets.a]\ntitel = "typo"\n')
    with pytest.raises(RecordingError, match=r"sets\.a\.titel"):
        read_catalogue(bad)
    assert all(isinstance(public, PublicSet) for public in CATALOGUE.sets.values())


def test_a_folder_that_cannot_be_written_is_told_before_the_download(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"cannot write .*choose another place with --to"):
        fetch_command("uci-har", tmp_path / "file" / "data")
