"""Names of devices, labels and files come from anyone: what looks like markup is shown, and never obeyed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

import img2imu_edge as i2e
from img2imu_edge.cli import classify, info, why
from img2imu_edge.cli.table import fleet_view
from img2imu_edge.cli.view import live_view
from img2imu_edge.session import Session

ODD = "[/bold] left[red]"


@pytest.fixture
def odd(model: i2e.Model) -> i2e.Model:
    labels = (ODD, *model.card.labels[1:])
    return replace(model, card=replace(model.card, labels=labels, name=ODD, description=ODD))


def test_the_live_screen_shows_names_as_they_are(odd: i2e.Model, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(odd, 50.0, odd.card.input.channels)
    decision = i2e.Decision(1.0, ODD, 0.5, 1.0, "ok", {ODD: 0.5})
    source = i2e.open_source("virtual:")
    console = Console(width=160)
    console.print(live_view(ODD, session, i2e.LinkStats(), decision, console.size))
    assert capsys.readouterr().out.count(ODD) == 3  # the device, the answer, its bar
    console.print(fleet_view([i2e.Wearable(ODD, source)], {ODD: decision}))
    assert capsys.readouterr().out.count(ODD) == 2


def test_a_card_is_shown_as_it_is(odd: i2e.Model, capsys: pytest.CaptureFixture[str]) -> None:
    info._show(odd)
    assert capsys.readouterr().out.count(ODD) == 3  # name, description, labels


def test_a_recording_and_its_labels_are_shown_as_they_are(
    odd: i2e.Model, recording: i2e.Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    named = replace(recording, name="walk[left]", labels=None)
    decisions = i2e.classify_recording(named, odd)
    classify._show(named, decisions, 1.0)
    told = capsys.readouterr().out
    assert "walk[left]" in told
    assert ODD in told
    why.show_why(named, odd, decisions, next(d.time for d in decisions if d.label == ODD))
    told = capsys.readouterr().out
    assert "walk[left]" in told
    assert f"{ODD}, " in told
