import json

import pytest

from img2imu_edge import ModelCard, ModelError, SpectrogramSpec
from img2imu_edge.card import SCHEMA, DecisionSpec, InputSpec, Novelty

CARD = ModelCard(
    schema=SCHEMA,
    name="test",
    description="a card",
    labels=("still", "walking"),
    input=InputSpec(("acc_x", "acc_y", "acc_z"), 50.0, 32, 6, "wrist"),
    spectrogram=SpectrogramSpec.preset("motion"),
    decision=DecisionSpec(novelty=Novelty(((0.0, 1.0), (1.0, 0.0)), (0.5, 0.5), 3.0, 0.05)),
    license="Apache-2.0",
    quantisation="float32",
    provenance={"data": "none"},
)


def changed(path: str, value: object) -> str:
    """The card's JSON with one key changed, or removed where the value is `...`."""
    data = json.loads(CARD.to_json())
    *parents, last = path.split(".")
    place = data
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(data)


def test_a_card_survives_the_round_trip() -> None:
    assert ModelCard.from_json(CARD.to_json()) == CARD


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("labels", ..., "missing key 'labels'"),
        ("input.rate", ..., "missing key 'input.rate'"),
        ("input.rate", "fast", "'input.rate' must be float"),
        ("input.columns", 3.5, "'input.columns' must be int"),
        ("input.columns", True, "'input.columns' must be int"),
        ("input.channels", ["acc_x"], "input.channels must be 3 or 6"),
        ("labels", ["a", "a"], "labels must be"),
        ("labels", "ab", "'labels' must be a list"),
        ("surprise", 1, "unknown key 'surprise'"),
        ("spectrogram.contrast", "auto", "'spectrogram.contrast' must be one of"),
        ("spectrogram.ranges.acc.low_db", ..., "missing key 'spectrogram.ranges.acc.low_db'"),
        ("decision.temperature", 0, "decision: temperature must be positive"),
        ("decision.novelty.centroids", [[1.0]], "one centroid a label"),
        ("schema", SCHEMA + 1, "pip install --upgrade img2imu-edge"),
    ],
)
def test_a_wrong_card_is_refused_by_the_name_of_the_key(path: str, value: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ModelCard.from_json(changed(path, value))


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_damaged_cards_are_refused(text: str) -> None:
    with pytest.raises(ModelError, match="damaged"):
        ModelCard.from_json(text)
