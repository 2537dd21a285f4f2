"""The card into and out of genuine model files of both kinds."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

import img2imu_edge as i2e
from img2imu_edge.card import CARD_KEY

onnx = pytest.importorskip("onnx")
embed = pytest.importorskip("img2imu_export.embed")


def bare_onnx(shipped: Path) -> bytes:
    model = onnx.load_model(shipped / "shoulder.onnx")
    model.ClearField("metadata_props")
    content: bytes = model.SerializeToString()
    return content


def bare_tflite(shipped: Path) -> bytes:
    content = (shipped / "shoulder.tflite").read_bytes()
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return content[: archive.infolist()[0].header_offset]


@pytest.fixture(params=[bare_onnx, bare_tflite])
def bare(request: pytest.FixtureRequest, shipped: Path) -> bytes:
    content: bytes = request.param(shipped)
    return content


def test_a_card_comes_out_as_it_went_in_and_the_runtime_reads_it(
    bare: bytes, model: i2e.Model, tmp_path: Path
) -> None:
    card = replace(model.card, name="übung", description="Ärmel 臂\n", quantisation="float32")
    assert embed.read_card(bare) is None
    filled = embed.embed(bare, card)
    assert embed.read_card(filled) == card
    path = tmp_path / "named-by-content"
    path.write_bytes(filled)
    assert i2e.load_model(path).card == card


def test_embedding_gives_the_same_bytes_each_time(bare: bytes, model: i2e.Model) -> None:
    assert embed.embed(bare, model.card) == embed.embed(bare, model.card)


def test_a_second_card_is_refused(bare: bytes, model: i2e.Model) -> None:
    with pytest.raises(i2e.ModelError, match="already"):
        embed.embed(embed.embed(bare, model.card), model.card)


def test_a_card_that_json_would_change_is_refused(bare: bytes, model: i2e.Model) -> None:
    with pytest.raises(i2e.ModelError, match="did not survive"):
        embed.embed(bare, replace(model.card, metrics={"f1": (0.5, 0.6)}))


def test_a_zip_of_others_behind_a_tflite_is_no_card(shipped: Path) -> None:
    file = BytesIO(bare_tflite(shipped))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("labels.txt", "a\nb")
    assert embed.read_card(file.getvalue()) is None
    with zipfile.ZipFile(file) as archive:
        assert f"{CARD_KEY}.json" not in archive.namelist()
