"""What mixed precision (bf16 products on a float32 residual stream) rounds away, and what it costs.

Held against float32, beside the bf16 stream of a base that is wholly in bf16: log-likelihoods of options, what is left
of the difference between twins at their last token, and how many twins have the same p(behaviour). Then the processor
time of a training step, with steps taken in turn. The twins are the pairs with the shortest prompts, tasks in turn.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import _common as common
from benchmarks._shapes import TrainShape, train_examples
from bsft import config as cfg
from bsft.data.batches import Batch, tree_batch
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.methods import method_of
from bsft.data.prefix_tree import build_tree
from bsft.data.render import Candidates, Renderer
from bsft.data.source import obtain
from bsft.model.attention import TreeLayout
from bsft.model.backbone import Backbone, load_backbone
from bsft.model.module import BehaviorLM
from bsft.scoring.choices import OptionScorer

N_CASES = 40
EXACT, MIXED, NARROW = "float32", "mixed", "bf16 stream"
Pair = tuple[Candidates, Candidates]


@dataclass(frozen=True)
class Read:
    """What a backbone makes of the twins: last states `(pairs, 2, H)`, p(behaviour) `(pairs, 2, 3)`, and of the first
    items the log-likelihoods of their options `(n,)`."""

    states: Tensor
    behavior: Tensor
    log_likelihoods: Tensor


def _backbone(config: cfg.Config, name: str) -> Backbone:
    precision = "bf16-mixed" if name == MIXED else "32-true"
    backbone = load_backbone(config.model, method_of(config.method), precision=precision)
    if name == NARROW:
        for parameter in backbone.module.parameters():
            parameter.data = parameter.data.to(parameter.dtype if parameter.requires_grad else torch.bfloat16)
    backbone.module.eval()
    return backbone


def twins(config: cfg.Config, backbone: Backbone, n_pairs: int) -> list[Pair]:
    """The pairs with the shortest prompts, the problem first, tasks in turn."""
    renderer = Renderer(
        backbone.tokenizer, method_of(config.method), vocabulary=backbone.vocabulary, date=config.model.date
    )
    data = BehaviorBenchDataModule(config, obtain(config.data), renderer, batching="tree")
    candidates = chain.from_iterable(data.candidates(split, None) for split in data.benchmark.splits)
    known = {candidate.item.id: candidate for candidate in candidates}
    by_task: dict[str, list[Pair]] = {}
    for own in sorted(known.values(), key=lambda candidate: len(candidate.prompt_ids)):
        if own.item.variant == "perturbed" and own.item.twin_id in known:
            by_task.setdefault(own.item.task, []).append((own, known[own.item.twin_id]))
    in_turn = chain.from_iterable(zip_longest(*by_task.values()))
    return [pair for pair in in_turn if pair is not None][:n_pairs]


@torch.inference_mode()
def read(backbone: Backbone, pairs: Sequence[Pair], n_items: int) -> Read:
    """Reads each pair as a tree, and scores the options of the first `n_items` items with a problem."""
    assert backbone.vocabulary is not None
    states = []
    with backbone.reading("tree"):
        for pair in pairs:
            tree = build_tree([twin.prompt_ids for twin in pair])
            ids, depths = (torch.from_numpy(each)[None] for each in (tree.ids, tree.depths))
            hidden = backbone.hidden_states(ids, position_ids=depths, use_cache=False, tree=TreeLayout(tree))[0]
            states.append(hidden[[int(path[-1]) for path in tree.paths]])
        logits = backbone.logits(torch.stack(states))[..., list(backbone.vocabulary.ids)]
    scorer = OptionScorer(backbone, batching="tree", batch_tokens=4096)
    scored = scorer.score([own for own, _ in pairs[:n_items]], lambda *_: [None])
    values = [value for each in scored for value in each.log_likelihoods[None]]
    return Read(torch.stack(states).float(), logits.float().softmax(-1), torch.tensor(values))


def compared(found: Read, exact: Read, pairs: Sequence[Pair]) -> dict[str, float]:
    """Errors of `found` against float32; cosines by task, and over all pairs."""
    own, true = (each.states[:, 0] - each.states[:, 1] for each in (found, exact))
    cosine = F.cosine_similarity(own, true, dim=-1)
    tasks = sorted({pair[0].item.task for pair in pairs})
    by_task = {
        f"cosine, {task}": cosine[[pair[0].item.task == task for pair in pairs]].median().item() for task in tasks
    }
    noise = (found.states - exact.states).norm(dim=-1) / exact.states.norm(dim=-1)
    return {
        "log-likelihood, rms error": (found.log_likelihoods - exact.log_likelihoods).square().mean().sqrt().item(),
        "last state, relative error": noise.median().item(),
        "pairs with equal p(behaviour)": float((found.behavior[:, 0] == found.behavior[:, 1]).any(-1).sum()),
        "cosine of the twins' difference, median": cosine.median().item(),
        "cosine, share of pairs from 0.95": (cosine >= 0.95).float().mean().item(),
        **by_task,
    }


def _step(backbone: Backbone, batch: Batch, *, under_autocast: bool) -> float:
    """Seconds of processor time."""
    module = BehaviorLM(backbone, cfg.FitConfig(), n_steps=1)
    begun = time.process_time()
    with backbone.reading("tree"), torch.autocast("cpu", torch.bfloat16, enabled=under_autocast):
        module.loss_sum(batch).backward()  # type: ignore[no-untyped-call]
    return time.process_time() - begun


def main() -> None:
    parser = common.parser(__doc__, repetitions=3)
    parser.set_defaults(dtype="float32")
    parser.add_argument("--pairs", type=int, default=32, help="pairs of twins")
    parser.add_argument("--items", type=int, default=12, help="items whose options are scored")
    arguments = parser.parse_args()
    config = common.job(arguments.model, "cpu", "float32", "method=behavior_sft", f"data.n_cases={N_CASES}")
    backbones = {name: _backbone(config, name) for name in (EXACT, MIXED, NARROW)}
    pairs = twins(config, backbones[EXACT], arguments.pairs)
    found: dict[str, Read] = {}
    for name, backbone in backbones.items():
        found[name] = read(backbone, pairs, arguments.items)
        common.progress(f"{name}: read {len(pairs)} pairs")
    errors = {name: compared(found[name], found[EXACT], pairs) for name in backbones}

    vocabulary = backbones[EXACT].vocabulary
    assert vocabulary is not None
    examples = [replace(e, behavior_id=vocabulary.ids[0]) for e in train_examples(TrainShape(6, 200, 40, 20))]
    seconds: dict[str, list[float]] = {name: [] for name in backbones}
    for number in range(arguments.repetitions + 1):
        for name, backbone in backbones.items():
            took = _step(backbone, tree_batch(examples, behavior_weight=1.0), under_autocast=name == NARROW)
            seconds[name] += [took] if number else []
            common.progress(f"{name}: {took:.2f} s")
    medians = {name: common.median(own) for name, own in seconds.items()}
    rows = {key: [errors[name][key] for name in backbones] for key in errors[EXACT]}
    rows["training step, processor s"] = list(medians.values())
    rows["the same over that of the bf16 stream"] = [median / medians[NARROW] for median in medians.values()]
    common.show(
        f"{len(pairs)} pairs of twins, {arguments.items} items scored, {arguments.model}",
        ["", *backbones],
        [(key, *values) for key, values in rows.items()],
    )
    figures = {"benchmark": "precision", "model": arguments.model, "rows": rows, "seconds": seconds}
    common.write(arguments, figures, {key: values[1] for key, values in rows.items()})


if __name__ == "__main__":
    main()
