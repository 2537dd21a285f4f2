"""From a recipe to a checkpoint: judge it on held-out people, calibrate on them, then train on everyone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from img2imu_edge.card import SCHEMA, DecisionSpec, InputSpec, ModelCard
from img2imu_training.calibrate import fit_classes, fit_temperature, fit_threshold
from img2imu_training.crossfit import CrossFit, cross_fit
from img2imu_training.evaluate import Fold, evaluation_windows, held_out, train_one
from img2imu_training.fit import Learner, predict
from img2imu_training.network import Network
from img2imu_training.progress import Unwatched, Watch
from img2imu_training.recipe import Recipe
from img2imu_training.recordings import Corpus
from img2imu_training.tune import Tuning
from img2imu_training.windows import pictures


@dataclass(frozen=True, slots=True)
class Trained:
    """A network, its card, and what held-out people said of networks like it.

    Attributes:
        net: The network, trained on everyone.
        card: Its card.
        folds: Held-out groups, each with a network that never saw it.
        judged: Calibration, judged on groups that it was not fitted on.
        tuning: The course of the gradient descent on everyone.
    """

    net: Network
    card: ModelCard
    folds: list[Fold]
    judged: CrossFit
    tuning: Tuning


def train(
    recipe: Recipe, corpus: Corpus, watch: Watch | None = None, learner: Learner | None = None
) -> Trained:
    """Train a model as its recipe says; the same seed gives the same model.

    Temperature and rejection threshold come from the held-out people of the recipe's first seed. The
    threshold carries over to the final network because its distances are in units of its own spread.

    Args:
        recipe: The recipe.
        corpus: The recipe's recordings, without the people who are kept out.
        watch: Told of each held-out group and each step.
        learner: The recipe's, if there is one already.
    """
    watch = watch or Unwatched()
    learner = learner or recipe.learner(corpus.rate)
    fit_metric(learner, watch)
    folds = list(held_out(recipe, corpus, learner, recipe.seed, watch))
    windows = evaluation_windows(recipe, corpus)
    watch.begin("everyone", recipe.fit.tune.steps)
    net, tuning = train_one(learner, windows, len(corpus.classes), recipe.seed, watch.step)
    judged = cross_fit(folds, recipe.decision.false_alarm)
    return Trained(net, make_card(recipe, corpus, net, folds, judged), folds, judged, tuning)


def fit_metric(learner: Learner, watch: Watch) -> None:
    """Have a learner fit its metric, which can take longer than all that follows."""
    watch.begin("metric of motion")
    _ = learner.metric


def make_card(recipe: Recipe, corpus: Corpus, net: Network, folds: list[Fold], judged: CrossFit) -> ModelCard:
    """The card of a network trained on the whole corpus, with decisions fitted on held-out people."""
    logits = np.concatenate([fold.logits for fold in folds])
    labels = np.concatenate([fold.windows.labels for fold in folds])
    temperature = fit_temperature(logits, labels)
    threshold = fit_threshold(np.concatenate([f.distances for f in folds]), recipe.decision.false_alarm)
    windows, plan = evaluation_windows(recipe, corpus), recipe.plan(corpus.rate)
    _, embeddings = predict(net, pictures(windows.samples, plan))
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
        spectrogram=plan.spec,
        decision=DecisionSpec(
            temperature=round(temperature, 4),
            smoothing=recipe.decision.smoothing,
            margin=recipe.decision.margin,
            min_coverage=recipe.decision.min_coverage,
            novelty=replace(classes, threshold=threshold, false_alarm=round(judged.false_alarm, 4)),
        ),
        license=recipe.license,
        quantisation="float32",
        provenance={
            "data": {"name": corpus.name, "recordings": recipe.data.corpus, **corpus.about},
            "subjects": {"trained": list(corpus.subjects), "kept_out": list(recipe.data.keep_out)},
            "base": recipe.network.base,
            "gradient_steps": recipe.fit.tune.steps,
            "seed": recipe.seed,
            "torch": version("torch"),
        },
        metrics={
            "leave_subjects_out": {
                "macro_f1": round(float(np.mean(scores)), 4),
                "spread": round(float(np.std(scores, ddof=1)), 4),
                "networks": len(scores),
                "held_out": [list(fold.test) for fold in folds],
                "expected_calibration_error": round(judged.calibration_error, 4),
            }
        },
    )
