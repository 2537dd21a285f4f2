from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from img2imu_training.corpora.formula_images import FormulaImages, ImageOptions
from img2imu_training.corpora.mixture import Mixture
from img2imu_training.corpora.packed import PackedImages
from img2imu_training.corpora.photographs import pack
from PIL import Image

from img2imu_edge.errors import RecordingError


def photograph(number: int, kind: str = "png", size: tuple[int, int] = (20, 12)) -> bytes:
    """An image of one shade, which says its number."""
    file = io.BytesIO()
    Image.new("RGB", size, (number, 255 - number, 7)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images of three formats in nested folders, among them things that are none."""
    made = tmp_path / "pictures"
    for number in range(12):
        kind = ("png", "jpeg", "webp")[number % 3]
        file = made / f"class{number % 2}" / f"{number:02d}.{kind}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photograph(20 * number, kind))
    (made / "labels.txt").write_text("0 1 2")
    (made / "class0" / "._00.png").write_bytes(b"a shadow")
    return made


def shard(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def about(packed: Path) -> dict[str, object]:
    said: dict[str, object] = json.loads(packed.with_suffix(".json").read_text())
    return said


def test_a_folder_is_packed_once(folder: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    packed = pack([folder], tmp_path / "cache", 8, lambda *counts: calls.append(counts))
    images = np.load(packed)
    assert images.shape == (12, 3, 8, 8)
    shades = sorted(round(image[0].mean() / 20) for image in images)
    assert shades == list(range(12))
    assert calls[-1] == (12, 0)
    assert about(packed)["count"] == 12
    calls.clear()
    assert pack([folder], tmp_path / "cache", 8, lambda *counts: calls.append(counts)) == packed
    assert not calls
    (folder / "new.png").write_bytes(photograph(250))
    assert pack([folder], tmp_path / "cache", 8) != packed
    assert pack([folder], tmp_path / "cache", 9) != packed
    assert {p.suffix for p in (tmp_path / "cache").iterdir()} == {".npy", ".json"}


def test_the_largest_central_square_is_kept(tmp_path: Path) -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20, 0] = 200  # red in the middle, nothing at both ends
    tall = np.zeros((30, 10, 3), np.uint8)
    tall[10:20, :, 1] = 200
    (tmp_path / "in").mkdir()
    for name, image in (("a", wide), ("b", tall)):
        Image.fromarray(image).save(tmp_path / "in" / f"{name}.png")
    first, second = np.load(pack([tmp_path / "in"], tmp_path, 10))
    assert (first[0] == 200).all()
    assert (second[1] == 200).all()
    assert not first[1:].any()


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_shards_with_labels_and_a_corrupt_image(tmp_path: Path, ending: str) -> None:
    broken = photograph(5, "jpeg", (64, 64))
    members = {
        "a/0001.jpg": photograph(10, "jpeg"),
        "a/0001.cls": b"3",
        "a/0002.jpg": broken[: len(broken) // 2],
        "a/0003.png": b"no image at all",
        "a/0004.webp": photograph(30, "webp"),
    }
    source = shard(tmp_path / f"shard-0.{ending}", members)
    packed = pack([source], tmp_path / "cache", 8)
    said = about(packed)
    assert said["count"] == 2
    names = [one["name"] for one in said["skipped"]]  # type: ignore[attr-defined]
    assert names == [f"{source}:a/0002.jpg", f"{source}:a/0003.png"]
    assert len(PackedImages(packed, 2)) == 2


def test_a_shard_that_breaks_off_gives_what_it_held(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = {}
    for number in range(20):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(file, "png")
        noisy[f"{number}.png"] = file.getvalue()
    for ending in ("tar.gz", "tar"):
        source = shard(tmp_path / f"whole.{ending}", noisy)
        cut = tmp_path / f"cut.{ending}"
        cut.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
        said = about(pack([cut], tmp_path / "cache", 8))
        assert 5 <= said["count"] <= 10  # type: ignore[operator]
        (entry,) = said["skipped"]  # type: ignore[misc]
        assert "breaks off after" in entry["reason"]


def test_where_there_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(RecordingError, match="holds no images"):
        pack([tmp_path / "empty"], tmp_path, 8)
    with pytest.raises(RecordingError, match="does not exist"):
        pack([tmp_path / "absent"], tmp_path, 8)
    with pytest.raises(RecordingError, match="neither a folder nor a shard"):
        pack([tmp_path / "notes.txt"], tmp_path, 8)
    bad = shard(tmp_path / "bad.tar", {"a.jpg": b"nothing", "b.txt": b"text"})
    with pytest.raises(RecordingError, match=r"no usable images.*bad\.tar:a\.jpg: no image of a kind"):
        pack([bad], tmp_path / "cache", 8)
    assert not list((tmp_path / "cache").iterdir())  # nothing half-made stays


def test_processes_give_the_same_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = {f"{number:03d}.png": photograph(number % 256) for number in range(200)}
    source = shard(tmp_path / "some.tar", members | {"050.png": b"broken"})
    monkeypatch.setattr("img2imu_training.corpora.photographs._FEW", 64)
    one, two = (pack([source], tmp_path / f"{workers}", 4, workers=workers) for workers in (1, 2))
    np.testing.assert_array_equal(np.load(one), np.load(two))
    assert about(one)["skipped"] == about(two)["skipped"]
    assert about(two)["count"] == 199


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    members = {f"{number:03d}.png": photograph(number) for number in range(50)}
    return pack([shard(tmp_path / "fifty.tar", members)], tmp_path / "cache", 4)


def numbers(batch: torch.Tensor) -> list[int]:
    return [int(image) for image in batch[:, 0, 0, 0, 0]]


def test_an_epoch_shows_each_image_once_over_all_ranks(packed: Path) -> None:
    ranks = [PackedImages(packed, 5, seed=1, rank=rank, world=2) for rank in range(2)]
    assert ranks[0].steps_per_epoch == 5
    epochs = []
    for epoch in range(2):
        steps = range(5 * epoch, 5 * epoch + 5)
        epochs.append([n for step in steps for images in ranks for n in numbers(images.batch(step))])
        assert sorted(epochs[-1]) == list(range(50))
    assert epochs[0] != epochs[1]
    assert ranks[1].batch(3).shape == (5, 1, 3, 4, 4)
    again = pickle.loads(pickle.dumps(ranks[1]))  # noqa: S301 - as a worker process gets it
    assert again.batch(3).equal(ranks[1].batch(3))
    assert len(pickle.dumps(ranks[1])) < 1000


def test_packed_files_are_checked(packed: Path) -> None:
    with pytest.raises(RecordingError, match="fewer than a batch of 26 for each of 2"):
        PackedImages(packed, 26, world=2)
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-10])
    with pytest.raises(RecordingError, match="delete it and pack again"):
        PackedImages(packed, 5)
    packed.write_bytes(whole)
    side = packed.with_suffix(".json")
    side.write_text(side.read_text().replace('"count": 50', '"count": 49'))
    with pytest.raises(RecordingError, match="what its side-car says"):
        PackedImages(packed, 5)


def test_a_mixture_draws_whole_batches_by_weight(packed: Path) -> None:
    formula = FormulaImages(ImageOptions(batch=2, height=8, width=8, kinds={"waves": 1.0}))
    photographs = PackedImages(packed, 5)
    mixture = Mixture([formula, photographs], [1.0, 3.0], seed=2)
    turns = [mixture.turn(step) for step in range(10_000)]
    drawn = Counter(chosen for chosen, _ in turns)
    assert drawn[1] / 10_000 == pytest.approx(0.75, abs=0.02)
    for corpus in (0, 1):  # each corpus counts its own steps
        assert [own for chosen, own in turns if chosen == corpus] == list(range(drawn[corpus]))
    fresh = Mixture([formula, photographs], [1.0, 3.0], seed=2)
    assert fresh.turn(9_000) == turns[9_000]  # wherever a run resumes
    for step in range(6):
        chosen, own = turns[step]
        assert fresh.batch(step).equal((formula, photographs)[chosen].batch(own))


@given(st.lists(st.floats(-1, 5), max_size=4))
def test_weights_of_a_mixture_are_checked(weights: list[float]) -> None:
    corpora = [FormulaImages()] * 2
    good = len(weights) == 2 and min(weights) >= 0 and sum(weights) > 0
    if good:
        assert Mixture(corpora, weights).turn(0)[1] == 0
    else:
        with pytest.raises(ValueError, match="weights"):
            Mixture(corpora, weights)
