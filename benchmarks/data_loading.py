"""What share of a training step is spent on getting its data: reading, rendering, tokenising, building the tree.

The project's own fitting on real batches of the open benchmark; the seconds for which it waits for each step's data are
taken within the loop. Beside them stands the time that making the same steps takes alone, part by part.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from benchmarks import _common as common
from bsft import config as cfg
from bsft.data.batches import Step
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.methods import method_of
from bsft.data.render import Renderer
from bsft.data.source import obtain
from bsft.model.backbone import Backbone, load_backbone
from bsft.runs.directory import RunDirectory
from bsft.runs.job import Job
from bsft.training.fitting import fit
from bsft.training.loggers import RunLogger

_WARM_UP_STEPS = 2
_TARGET = 0.02


class _Watched:
    """A loader that notes when a step was asked for and when it came."""

    def __init__(self, loader: DataLoader[Step]) -> None:
        self._loader = loader
        self.asked_s: list[float] = []
        self.came_s: list[float] = []

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Step]:
        steps = iter(self._loader)
        while True:
            self.asked_s.append(time.perf_counter())
            step = next(steps, None)
            if step is None:
                return
            self.came_s.append(time.perf_counter())
            yield step


class _WatchedData(BehaviorBenchDataModule):
    watched: _Watched

    def train_dataloader(self) -> Any:
        self.watched = _Watched(super().train_dataloader())
        return self.watched


def waits(config: cfg.Config, data: _WatchedData, backbone: Backbone) -> tuple[list[float], list[float]]:
    """Seconds that each step waited for its data, and that it took with the waiting; without the first steps."""
    with tempfile.TemporaryDirectory() as root:
        fit(Job(config, RunDirectory(Path(root)), backbone, data), RunLogger(None))
    asked, came = data.watched.asked_s, data.watched.came_s
    waited = [b - a for a, b in zip(asked, came, strict=False)]
    whole = [b - a for a, b in pairwise(asked)]
    return waited[_WARM_UP_STEPS : len(whole)], whole[_WARM_UP_STEPS:]


def parts(data: _WatchedData) -> dict[str, float]:
    """Median seconds that the parts of a step's data take in a process that does nothing else.

    The steps come in the order of training, from a renderer that has not seen them.
    """
    assert data.train_items is not None
    read, whole = [], []
    steps = data.steps()
    for number, plan in enumerate(data.plan):
        start = time.perf_counter()
        for i in plan:
            data.train_items[i], data.train_items.twin(i)
        read.append(time.perf_counter() - start)
        start = time.perf_counter()
        step = steps[number]
        whole.append(time.perf_counter() - start)
        assert step.batches
    made, parsed = common.median(whole[_WARM_UP_STEPS:]), common.median(read[_WARM_UP_STEPS:])
    return {"read": parsed, "render, tokenise, build": made - parsed, "all": made}


def main() -> None:
    parser = common.parser(__doc__, repetitions=8)
    parser.add_argument("--cases", type=int, default=300, help="cases of the open benchmark")
    parser.add_argument("--override", nargs="*", default=[], help="overrides of our job's config")
    arguments = parser.parse_args()
    steps = arguments.repetitions + _WARM_UP_STEPS
    overrides = [f"data.n_cases={arguments.cases}", f"trainer.fit.max_steps={steps}"]
    overrides += ["trainer.fit.items_per_case=4", *arguments.override]  # the steps of experiment=demo
    config = common.job(arguments.model, arguments.device, arguments.dtype, "method=behavior_sft", *overrides)
    method = method_of(config.method)
    backbone = load_backbone(config.model, method, precision=config.trainer.precision)
    benchmark = obtain(config.data)

    def data() -> _WatchedData:
        renderer = Renderer(
            backbone.tokenizer, method, vocabulary=backbone.vocabulary, scene_tokens=config.data.scene_tokens
        )
        made = _WatchedData(config, benchmark, renderer, batching=config.trainer.batching)
        made.setup("fit")
        return made

    alone = parts(data())
    waited, whole = waits(config, data(), backbone)
    share = sum(waited) / sum(whole)
    rows: list[tuple[str, float, float]] = [
        (f"{name}, alone", value, value / common.median(whole)) for name, value in alone.items()
    ]
    rows += [("waited for data", common.median(waited), share), ("whole step", common.median(whole), 1.0)]
    common.show(
        f"A training step's data, {arguments.model}, {config.trainer.batching}, {len(whole)} steps "
        f"(target: waits below {_TARGET:.0%})",
        ["part", "median s", "share of a step"],
        [(name, value, f"{part:.2%}") for name, value, part in rows],
    )
    figures = {
        "benchmark": "data_loading",
        "model": arguments.model,
        "batching": config.trainer.batching,
        "dtype": arguments.dtype,
        "waited_s": waited,
        "step_s": whole,
        "share": share,
        "target": _TARGET,
        "alone_s": alone,
        "environment": common.environment(arguments.device),
    }
    seconds = {f"{name}, s": value for name, value, _ in rows}
    common.write(arguments, figures, seconds | {"waited for data, share": share})


if __name__ == "__main__":
    main()
