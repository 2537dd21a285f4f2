"""From a fine-tuning to the contents of its report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from img2imu_training.finetune import Finetuned, Task
from img2imu_training.recordings import Corpus
from img2imu_training.report.contents import Calibration, PictureAxes, Rejection, Report, TrainingCurve
from img2imu_training.report.measures import choose_examples, confusion, reliability
from img2imu_training.train import Trained
from img2imu_training.tune import Tuning
from img2imu_training.windows import pictures


def build_report(task: Task, found: Finetuned, date: str | None = None) -> Report:
    """The report's contents.

    Calibration and false alarms are those of `CrossFit`: each held-out group under a temperature and a
    threshold fitted on the others. The temperature and the threshold that are named are the card's.

    Args:
        task: What was learned from.
        found: What came of it.
        date: Of the run.
    """
    trained, classes = found.trained, task.corpus.classes
    logits = np.concatenate([fold.logits for fold in trained.folds])
    labels = np.concatenate([fold.windows.labels for fold in trained.folds])
    subjects = np.concatenate([fold.windows.subjects for fold in trained.folds])
    samples = np.concatenate([fold.windows.samples for fold in trained.folds])
    plan = task.learner.plan
    return Report(
        title=trained.card.name,
        facts=_facts(task, trained),
        classes=classes,
        confusion=confusion(labels, logits.argmax(axis=1), len(classes)),
        scores=np.array([fold.macro_f1 for fold in trained.folds]),
        group_names=tuple(", ".join(fold.test) for fold in trained.folds),
        group=task.group,
        notices=task.notices,
        examples=choose_examples(pictures(samples, plan), labels, trained.judged.logits, subjects=subjects),
        axes=PictureAxes(
            plan.frequencies.astype(np.float64),
            plan.spec.level_rows,
            plan.frame / plan.rate,
            plan.hop / plan.rate,
        ),
        calibration=_calibration(trained),
        rejection=_rejection(trained),
        budget=found.budget,
        training=_curve(trained.tuning),
        date=date,
    )


def _facts(task: Task, trained: Trained) -> tuple[tuple[str, str], ...]:
    recipe, corpus = task.recipe, task.corpus
    steps, kept_out = recipe.fit.tune.steps, len(recipe.data.keep_out)
    groups = f"{len(corpus.subjects)}" + (f", {kept_out} more kept out" if kept_out else "")
    return (
        ("Starts from", recipe.network.base),
        ("Learned by", f"{steps:,} steps" if steps else "closed form, backbone frozen"),
        ("Recordings", corpus.name),
        (task.group.capitalize(), groups),
        ("Labelled", f"{_minutes(corpus):.1f} minutes"),
        ("Windows", f"{len(task.windows):,} of {task.window_s:.3g} s"),
        ("Sensor", f"{len(corpus.channels)} axes at {corpus.rate:g} Hz"),
        *([("Worn", trained.card.input.placement)] if trained.card.input.placement else []),
    )


def _minutes(corpus: Corpus) -> float:
    return sum(int(np.sum(session.labels >= 0)) for session in corpus.sessions) / corpus.rate / 60


def _calibration(trained: Trained) -> Calibration:
    """Logits are divided already, by other groups' temperatures; the card's is named."""
    judged = trained.judged
    after = reliability(judged.logits, judged.labels)
    raw = np.concatenate([fold.logits for fold in trained.folds])
    named = replace(after, temperature=trained.card.decision.temperature)
    return Calibration(named, reliability(raw, judged.labels))


def _rejection(trained: Trained) -> Rejection | None:
    novelty = trained.card.decision.novelty
    if novelty is None:
        return None
    groups = tuple(fold.distances for fold in trained.folds)
    return Rejection(groups, novelty.threshold, thresholds=trained.judged.thresholds)


def _curve(tuning: Tuning) -> TrainingCurve | None:
    """The gradient descent on everyone; None where there was none."""
    if not tuning.loss:
        return None
    looked = bool(tuning.checks)
    return TrainingCurve(
        steps=np.arange(1, len(tuning.loss) + 1),
        loss=np.array(tuning.loss),
        checks=np.array(tuning.checks, np.int64),
        validation_loss=np.array(tuning.losses) if looked else None,
        validation_score=np.array(tuning.scores) if looked else None,
        chosen=tuning.chosen if looked else None,
    )
