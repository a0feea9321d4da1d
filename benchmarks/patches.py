"""What each patch of `bsft.model.fast` saves in a training step: processor time, and memory kept for the backward pass.

One case of `--items` items under method=behavior_sft, with each patch alone on the plain model, and with all. Steps are
taken in turn, so that other work on the machine falls on all alike.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks import _common as common
from benchmarks._shapes import TrainShape, train_examples
from bsft import config as cfg
from bsft.data.batches import Batch, tree_batch
from bsft.data.methods import method_of
from bsft.model import fast
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.module import BehaviorLM

_VARIANTS = {"plain": frozenset[str](), **{p.name: frozenset({p.name}) for p in fast.PATCHES}, "all": fast.NAMES}


def _backbone(config: cfg.Config, patches: frozenset[str]) -> Backbone:
    backbone = load_backbone(
        replace(config.model, fast=False),
        method_of(config.method),
        precision=config.trainer.precision,
        first_layer=config.trainer.fit.first_layer,
    )
    backbone.road = replace(backbone.road, patches=patches)
    fast.install(backbone)
    return backbone


def _step(backbone: Backbone, batch: Batch) -> tuple[float, int]:
    """Seconds of processor time, and bytes that autograd kept besides parameters."""
    kept: dict[int, int] = {p.untyped_storage().data_ptr(): 0 for p in backbone.module.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    module = BehaviorLM(backbone, cfg.FitConfig(), n_steps=1)
    begun = time.process_time()
    with backbone.reading("tree"):
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = module.loss_sum(batch)
        loss.backward()  # type: ignore[no-untyped-call]
    return time.process_time() - begun, sum(kept.values())


def main() -> None:
    parser = common.parser(__doc__, repetitions=3)
    parser.add_argument("--items", type=int, default=6, help="items of 200 shared and 40 own tokens")
    parser.add_argument("--first-layer", type=int, default=0, help="trainer.fit.first_layer")
    parser.add_argument("--only", nargs="+", default=list(_VARIANTS), choices=_VARIANTS, help="what is measured")
    arguments = parser.parse_args()
    config = common.job(
        arguments.model,
        "cpu",
        arguments.dtype,
        "method=behavior_sft",
        f"trainer.fit.first_layer={arguments.first_layer}",
    )
    backbones = {name: _backbone(config, _VARIANTS[name]) for name in arguments.only}
    [token, *_] = next(b.vocabulary for b in backbones.values() if b.vocabulary is not None).ids
    examples = [replace(e, behavior_id=token) for e in train_examples(TrainShape(arguments.items, 200, 40, 20))]
    steps: dict[str, list[tuple[float, int]]] = {name: [] for name in backbones}
    for number in range(arguments.repetitions + 1):
        for name, backbone in backbones.items():
            step = _step(backbone, tree_batch(examples, behavior_weight=1.0))
            steps[name] += [step] if number else []
            common.progress(f"{name}: {step[0]:.2f} s, {step[1] / 2**20:.0f} MiB")
    rows = [
        {"patch": name, "cpu_s": common.median(s for s, _ in own), "kept_mib": own[0][1] / 2**20}
        for name, own in steps.items()
    ]
    common.show(
        f"{arguments.items} items, {arguments.model}, {arguments.dtype}, adapters from layer {arguments.first_layer}",
        ["patch", "processor s", "kept MiB"],
        [(row["patch"], row["cpu_s"], row["kept_mib"]) for row in rows],
    )
    figures = {"benchmark": "patches", "model": arguments.model, "dtype": arguments.dtype, "rows": rows}
    seconds = {name: common.median(s for s, _ in own) for name, own in steps.items()}
    common.write(arguments, figures, {f"{name}, processor s": value for name, value in seconds.items()})


if __name__ == "__main__":
    main()
