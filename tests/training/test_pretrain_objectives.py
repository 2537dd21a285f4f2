from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from img2imu_training.backbones import build_backbone
from img2imu_training.pretrain.objectives import Encoder, Moco, MocoOptions, ObjectiveOptions
from img2imu_training.pretrain.objectives.moco import info_nce
from img2imu_training.pretrain.objectives.parts import gather
from img2imu_training.pretrain.objectives.simclr import nt_xent
from img2imu_training.pretrain.objectives.vicreg import redundancy, shortfall
from torch import Tensor
from torch.nn import functional

OPTIONS = {
    "moco": {"queue": 64, "hidden": 32, "width": 16},
    "simclr": {"hidden": 32, "width": 16},
    "vicreg": {"hidden": 32, "width": 16},
}


def units(*shape: int, seed: int) -> Tensor:
    return functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_info_nce_is_its_formula() -> None:
    queries, keys, queue = units(5, 8, seed=0), units(5, 8, seed=1), units(7, 8, seed=2)
    expected = 0.0
    for query, key in zip(queries, keys, strict=True):
        own = math.exp(float(query @ key) / 0.3)
        expected -= math.log(own / (own + sum(math.exp(float(query @ other) / 0.3) for other in queue))) / 5
    assert info_nce(queries, keys, queue, 0.3).item() == pytest.approx(expected, rel=1e-5)


def test_nt_xent_is_its_formula() -> None:
    a, b = units(4, 6, seed=0), units(4, 6, seed=1)
    views = torch.cat([a, b])
    expected = 0.0
    for i in range(8):
        similar = [math.exp(float(views[i] @ views[j]) / 0.2) for j in range(8)]
        expected -= math.log(similar[(i + 4) % 8] / (sum(similar) - similar[i])) / 8
    assert nt_xent(a, b, 0.2).item() == pytest.approx(expected, rel=1e-5)


def test_vicreg_is_content_with_independent_features_of_unit_deviation() -> None:
    features = torch.randn(20000, 4, generator=torch.Generator().manual_seed(0))
    features = (features - features.mean(dim=0)) / features.std(dim=0)
    assert shortfall(features).item() < 1e-3
    assert redundancy(features).item() < 1e-3
    assert shortfall(0 * features).item() == pytest.approx(0.99)
    same = features[:, :1].expand(-1, 4)
    assert redundancy(same).item() == pytest.approx(3.0, rel=1e-3)


@pytest.mark.parametrize("pooling", ["rows", "global"])
@pytest.mark.parametrize("name", OPTIONS)
def test_all_that_is_trained_has_a_gradient(name: Any, pooling: Any) -> None:
    """Distributed training waits for every gradient; one that never comes would be an error there."""
    torch.manual_seed(0)
    objective = ObjectiveOptions(name, pooling, OPTIONS[name]).build(build_backbone("tiny"), 32)
    loss = objective(torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32))
    loss.backward()
    for key, weight in objective.named_parameters():
        assert (weight.grad is not None) == weight.requires_grad == ("key" not in key)


@pytest.mark.parametrize("name", OPTIONS)
def test_training_tells_pictures_apart(name: Any) -> None:
    torch.manual_seed(0)
    objective = ObjectiveOptions(name, "rows", OPTIONS[name]).build(build_backbone("tiny"), 16)
    optimiser = torch.optim.AdamW([p for p in objective.parameters() if p.requires_grad], 3e-3)
    base = torch.rand(32, 3, 16, 8)
    losses = []
    for _ in range(40):
        first, second = (base + 0.05 * torch.randn_like(base) for _ in range(2))
        loss = objective(first, second)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    # MoCo's first losses are against a random queue, which any picture is easily told from.
    early = max(losses[3:10]) if name == "moco" else losses[0]
    assert sum(losses[-5:]) / 5 < 0.7 * early


def moco(**options: Any) -> Moco:
    torch.manual_seed(0)
    encoder = Encoder(build_backbone("tiny"), 16, "rows")
    return Moco(encoder, MocoOptions(**{"hidden": 16, "width": 8, **options}))


def test_the_queue_is_first_in_first_out() -> None:
    module = moco(queue=10)
    oldest = module.queue.clone()
    added = []
    for step in range(4):
        pictures = torch.rand(4, 3, 16, 8, generator=torch.Generator().manual_seed(step))
        before = module.queue.clone()
        module(pictures, pictures)
        changed = (module.queue != before).any(dim=1).nonzero().flatten()
        added.append(module.queue[sorted(changed.tolist())])
        assert sorted(changed.tolist()) == sorted((4 * step + i) % 10 for i in range(4))
        torch.testing.assert_close(module.queue.norm(dim=1), torch.ones(10))
    assert module.at.item() == 16 % 10
    assert not (module.queue == oldest).all(dim=1).any()


def test_a_batch_may_be_larger_than_the_queue() -> None:
    module = moco(queue=3)
    module(torch.rand(8, 3, 16, 8), torch.rand(8, 3, 16, 8))
    torch.testing.assert_close(module.queue.norm(dim=1), torch.ones(3))


def test_the_key_encoder_follows_slowly() -> None:
    module = moco(queue=8, momentum=0.9)
    weight, slow = (
        module.encoder.backbone.stages[0][0].weight,
        module.key_encoder.backbone.stages[0][0].weight,
    )
    assert torch.equal(weight, slow)
    before = slow.detach().clone()
    with torch.no_grad():
        weight += 1
    module(torch.rand(4, 3, 16, 8), torch.rand(4, 3, 16, 8))
    torch.testing.assert_close(slow, before + 0.1)


def test_keys_are_compared_with_earlier_pictures_only() -> None:
    """The queue of a step must not hold the step's own keys: each would be its own wrong answer."""
    module = moco(queue=4)
    pictures = torch.rand(4, 3, 16, 8)
    queue = module.queue.clone()
    loss = module(pictures, pictures)
    with torch.no_grad():
        module.encoder.train()
        features = functional.normalize(module.project(module.encoder(pictures)), dim=1)
    torch.testing.assert_close(loss, info_nce(features, features, queue, 0.2), rtol=1e-4, atol=1e-4)


def share(rank: int, where: str, loss: str) -> None:
    """One of two processes: the gradients of its half of the features."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{where}/meet", rank=rank, world_size=2)
    a, b = (units(6, 8, seed=seed)[3 * rank : 3 * rank + 3].requires_grad_() for seed in (0, 1))
    value = both_losses(a, b)[loss]
    value.backward()
    torch.save([value.detach(), a.grad, b.grad], f"{where}/{rank}.pt")
    torch.distributed.destroy_process_group()


def both_losses(a: Tensor, b: Tensor) -> dict[str, Tensor]:
    everyone = gather(a)
    centred = everyone - everyone.mean(dim=0)
    spread = functional.mse_loss(a, b) + shortfall(centred) + redundancy(centred)
    return {"simclr": nt_xent(a, b, 0.2), "vicreg": spread}


@pytest.mark.parametrize("loss", ["simclr", "vicreg"])
def test_two_processes_have_the_gradients_of_one(loss: str, tmp_path: Path) -> None:
    """Mean over processes of what each sends back, as DistributedDataParallel takes it."""
    torch.multiprocessing.start_processes(share, (str(tmp_path), loss), nprocs=2, start_method="fork")
    halves = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    a, b = (units(6, 8, seed=seed).requires_grad_() for seed in (0, 1))
    value = both_losses(a, b)[loss]
    value.backward()
    torch.testing.assert_close(sum(half[0] for half in halves) / 2, value.detach())
    torch.testing.assert_close(torch.cat([half[1] for half in halves]) / 2, a.grad)
    torch.testing.assert_close(torch.cat([half[2] for half in halves]) / 2, b.grad)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ObjectiveOptions("moco", options={"temprature": 1.0}), "temprature"),
        (lambda: ObjectiveOptions("moco", options={"momentum": 1.0}), "momentum"),
        (lambda: ObjectiveOptions("moco", options={"queue": 0}), "queue"),
        (lambda: ObjectiveOptions("simclr", options={"temperature": 0.0}), "temperature"),
        (lambda: ObjectiveOptions("vicreg", options={"variance": 0.0}), "positive"),
        (lambda: moco(hidden=0), "at least 1"),
    ],
)
def test_options_that_cannot_be_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
