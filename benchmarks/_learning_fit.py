"""One fit of the learning benchmark: steps of this trainer's parts, evaluations on held-out pairs, checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from benchmarks._common import environment
from benchmarks._learning_examples import PairEncoder, Ranked, rank
from benchmarks._learning_scenes import Form, Pair, make_pair
from benchmarks._learning_settings import Settings
from bsft import config as cfg
from bsft.data.methods import method_of
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.module import BehaviorLM
from bsft.model.sharding import clip_gradients
from bsft.records.errors import BadInput
from bsft.stats.bootstrap import Bootstrap

ENOUGH = 0.95
"""A fit ends when all paired AUCs reach it at two evaluations in a row."""
_TEST_SEED = 4711
_SAMPLES = 2000
_CHECKPOINT_EVERY_S = 120.0


class Learner:
    """This trainer's backbone, loss, parameter groups and schedule."""

    def __init__(self, settings: Settings) -> None:
        config = settings.config()
        fit, method = config.trainer.fit, config.method
        self.backbone: Backbone = load_backbone(
            config.model,
            method_of(method),
            precision=config.trainer.precision,
            first_layer=fit.first_layer,
            seed=settings.seed,
        )
        row_lr = method.behavior.row_lr if isinstance(method, cfg.BehaviorSftConfig) else None
        self._module = BehaviorLM(self.backbone, fit, n_steps=settings.n_steps, row_lr=row_lr)
        optimizers = self._module.configure_optimizers()
        self.optimizer = cast(AdamW, optimizers["optimizer"])
        self.scheduler = cast(LambdaLR, optimizers["lr_scheduler"])
        self._max_norm = fit.optim.max_grad_norm
        self._labels = settings.labels
        self.encoder = PairEncoder(self.backbone.tokenizer, self.backbone.vocabulary, config.model.date)
        self.backbone.use_attention(self.backbone.tree_attention)

    def step(self, pairs: list[Pair]) -> tuple[float, int]:
        """One optimisation step: the loss per answer token, and the distinct tokens that were read."""
        self.backbone.module.train()
        batches = self.encoder.batches(pairs, self._labels)
        n_answer_tokens = sum(batch.n_answer_tokens for batch in batches)
        self.optimizer.zero_grad()
        total = 0.0
        for batch in batches:
            loss = self._module.loss_sum(batch) / n_answer_tokens
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        clip_gradients(self.trained().values(), self._max_norm)
        self.optimizer.step()
        self.scheduler.step()
        return total, sum(batch.input_ids.numel() for batch in batches)

    def rank(self, pairs: list[Pair]) -> list[Ranked]:
        self.backbone.module.eval()
        return list(rank(self.backbone, self.encoder, pairs, max_tokens=4096))

    def trained(self) -> dict[str, nn.Parameter]:
        return self.backbone.trainable()


@dataclass
class Progress:
    """How far a fit is: steps, distinct tokens read in training, seconds of training, and the evaluations so far."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    points: list[dict[str, Any]] = field(default_factory=list)


def step_pairs(settings: Settings, step: int) -> list[Pair]:
    """The training pairs of a step: kinds in turn, levels as the schedule says."""
    first = step * settings.pairs_per_step
    return [_training_pair(settings, number) for number in range(first, first + settings.pairs_per_step)]


def _training_pair(settings: Settings, number: int) -> Pair:
    index, kind = divmod(number, len(settings.kinds))
    if settings.schedule == "curriculum":
        level = settings.levels[index >= settings.pairs // 2]
    else:
        level = settings.levels[index % len(settings.levels)]
    return make_pair(settings.kinds[kind], level, f"{settings.seed} {index}", test=False, form=settings.form)


def evaluation_pairs(settings: Settings) -> Iterator[list[Pair]]:
    """Held-out pairs of each kind and level, the same for all fits; they have one problem each."""
    form = Form(settings.reply)
    for level in settings.levels:
        for kind in settings.kinds:
            names = (f"{_TEST_SEED} {i}" for i in range(settings.eval_pairs))
            yield [make_pair(kind, level, name, test=True, form=form) for name in names]


def evaluate(learner: Learner, settings: Settings) -> list[dict[str, Any]]:
    """Paired AUC with its interval, accuracy and AUC by variant, of each kind and level."""
    return [_figures(learner.rank(pairs)) for pairs in evaluation_pairs(settings)]


def _figures(ranked: list[Ranked]) -> dict[str, Any]:
    problem, calm = (np.array([getattr(r, side) for r in ranked]) for side in ("problem", "calm"))
    threshold = ranked[0].threshold
    wins = (problem > calm) + 0.5 * (problem == calm)
    area = Bootstrap(_SAMPLES).paired_auc(problem, calm, [r.pair.name for r in ranked])
    variants = np.array([r.pair.variant for r in ranked])
    return {
        "kind": ranked[0].pair.kind,
        "level": ranked[0].pair.level,
        "n": len(ranked),
        "auc": area.value,
        "low": area.low,
        "high": area.high,
        "accuracy": float(((problem > threshold).mean() + (calm <= threshold).mean()) / 2),
        "median_margin": float(np.median(problem - calm)),
        "variants": {str(v): [float(wins[variants == v].mean()), int((variants == v).sum())] for v in set(variants)},
    }


def run(learner: Learner, settings: Settings, directory: Path) -> None:
    """Fits to the end or until enough is learnt; goes on from the directory's checkpoint if it has one."""
    directory.mkdir(parents=True, exist_ok=True)
    progress = _resumed(learner, settings, directory)
    steps_between = max(1, settings.eval_every * len(settings.kinds) // settings.pairs_per_step)
    saved = time.monotonic()
    while progress.step < settings.n_steps and not learnt(progress.points):
        started = time.monotonic()
        loss, n_tokens = learner.step(step_pairs(settings, progress.step))
        progress.seconds += time.monotonic() - started
        progress.tokens += n_tokens
        progress.step += 1
        if not np.isfinite(loss):
            raise BadInput(f"the loss is {loss} at step {progress.step}; lower --lr (now {settings.lr})")
        due = progress.step % steps_between == 0 or progress.step == settings.n_steps
        if due:
            progress.points.append(_point(learner, settings, progress, loss))
            print(_line(settings, progress), flush=True)
        if due or time.monotonic() - saved > _CHECKPOINT_EVERY_S:
            _save(learner, settings, directory, progress)
            saved = time.monotonic()


def learnt(points: list[dict[str, Any]]) -> bool:
    """Whether the last two evaluations are good enough everywhere."""
    return len(points) >= 2 and all(k["auc"] >= ENOUGH for point in points[-2:] for k in point["kinds"])


def _point(learner: Learner, settings: Settings, progress: Progress, loss: float) -> dict[str, Any]:
    return {
        "step": progress.step,
        "pairs": progress.step * settings.pairs_per_step // len(settings.kinds),
        "tokens": progress.tokens,
        "seconds": round(progress.seconds, 1),
        "loss": loss,
        "kinds": evaluate(learner, settings),
    }


def _line(settings: Settings, progress: Progress) -> str:
    point = progress.points[-1]
    kinds = ", ".join(f"{k['kind']}@{k['level']} {k['auc']:.2f}/{k['accuracy']:.2f}" for k in point["kinds"])
    speed = progress.tokens / max(progress.seconds, 1e-9)
    return (
        f"{settings.name}: {point['pairs']} pairs a kind, {progress.tokens / 1000:.0f}k tokens, loss "
        f"{point['loss']:.3f}, {speed:.0f} tokens/s; AUC/accuracy {kinds}"
    )


def _save(learner: Learner, settings: Settings, directory: Path, progress: Progress) -> None:
    """The checkpoint, and the points for readers, each whole or not at all."""
    state = {
        "progress": asdict(progress),
        "parameters": {name: p.detach() for name, p in learner.trained().items()},
        "optimizer": learner.optimizer.state_dict(),
        "scheduler": learner.scheduler.state_dict(),
    }
    scratch = directory / "checkpoint.tmp"
    torch.save(state, scratch)
    scratch.replace(directory / "checkpoint.pt")
    figures = {"settings": asdict(settings), "environment": environment("cpu"), "points": progress.points}
    scratch.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    scratch.replace(directory / "points.json")


def _resumed(learner: Learner, settings: Settings, directory: Path) -> Progress:
    file = directory / "checkpoint.pt"
    if not file.exists():
        return Progress()
    kept = json.loads((directory / "points.json").read_text(encoding="utf-8"))["settings"]
    if kept != asdict(settings):
        raise BadInput(f"{directory}: holds a fit with other settings ({kept})")
    state: dict[str, Any] = torch.load(file, weights_only=True)
    parameters: dict[str, Tensor] = state["parameters"]
    with torch.no_grad():
        for name, parameter in learner.trained().items():
            parameter.copy_(parameters[name])
    learner.optimizer.load_state_dict(state["optimizer"])
    learner.scheduler.load_state_dict(state["scheduler"])
    return Progress(**state["progress"])
