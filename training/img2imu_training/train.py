"""From a recipe to a checkpoint: judge it on held-out people, calibrate on them, then train on everyone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from img2imu_edge.card import SCHEMA, DecisionSpec, InputSpec, ModelCard
from img2imu_training.calibrate import expected_calibration_error, fit_classes, fit_temperature, fit_threshold
from img2imu_training.evaluate import Fold, Progress, evaluation_windows, held_out, train_one
from img2imu_training.fit import predict
from img2imu_training.network import Network
from img2imu_training.recipe import Recipe
from img2imu_training.recordings import Corpus
from img2imu_training.windows import pictures


@dataclass(frozen=True, slots=True)
class Trained:
    """A network, its card, and what held-out people said of networks like it."""

    net: Network
    card: ModelCard
    folds: list[Fold]


def train(recipe: Recipe, corpus: Corpus, progress: Progress = lambda step, loss: None) -> Trained:
    """Train a model as its recipe says; the same seed gives the same model.

    Temperature and rejection threshold come from the held-out people of the recipe's first seed. The
    threshold carries over to the final network because its distances are in units of its own spread.

    Args:
        recipe: The recipe.
        corpus: The recipe's recordings, without the people who are kept out.
        progress: Called after each training step.
    """
    folds = list(held_out(recipe, corpus, recipe.seed, progress))
    windows = evaluation_windows(recipe, corpus)
    net, _ = train_one(recipe.learner(corpus.rate), windows, len(corpus.classes), recipe.seed, progress)
    return Trained(net, make_card(recipe, corpus, net, folds), folds)


def training_steps(recipe: Recipe) -> int:
    """How often `train` calls its `progress`."""
    return recipe.fit.tune.steps * (recipe.evaluation.folds + 1)


def make_card(recipe: Recipe, corpus: Corpus, net: Network, folds: list[Fold]) -> ModelCard:
    """The card of a network trained on the whole corpus, with decisions fitted on held-out people."""
    logits = np.concatenate([fold.logits for fold in folds])
    labels = np.concatenate([fold.windows.labels for fold in folds])
    temperature = fit_temperature(logits, labels)
    threshold = fit_threshold(np.concatenate([f.distances for f in folds]), recipe.decision.false_alarm)
    windows = evaluation_windows(recipe, corpus)
    _, embeddings = predict(net, pictures(windows.samples, recipe.plan(corpus.rate)))
    classes = fit_classes(embeddings, windows.labels, len(corpus.classes))
    scores = [fold.macro_f1 for fold in folds]
    return ModelCard(
        schema=SCHEMA,
        name=recipe.name,
        description=recipe.description,
        labels=corpus.classes,
        input=InputSpec(
            channels=recipe.data.channels,
            rate=corpus.rate,
            columns=recipe.picture.columns,
            hop_columns=recipe.picture.hop_columns,
            placement=recipe.data.placement,
        ),
        spectrogram=recipe.spec,
        decision=DecisionSpec(
            temperature=round(temperature, 4),
            smoothing=recipe.decision.smoothing,
            margin=recipe.decision.margin,
            min_coverage=recipe.decision.min_coverage,
            novelty=replace(classes, threshold=threshold, false_alarm=recipe.decision.false_alarm),
        ),
        license=recipe.license,
        quantisation="float32",
        provenance={
            "data": {"name": corpus.name, **corpus.about},
            "subjects": {"trained": list(corpus.subjects), "kept_out": list(recipe.data.keep_out)},
            "seed": recipe.seed,
            "torch": version("torch"),
        },
        metrics={
            "leave_subjects_out": {
                "macro_f1": round(float(np.mean(scores)), 4),
                "spread": round(float(np.std(scores, ddof=1)), 4),
                "networks": len(scores),
                "held_out": [list(fold.test) for fold in folds],
                "expected_calibration_error": round(
                    expected_calibration_error(logits, labels, temperature), 4
                ),
            }
        },
    )
