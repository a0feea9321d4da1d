"""Peak memory of the loss with a vocabulary of 262,144 tokens (Gemma 3's): does it grow with the number of labels?

The project's own `loss_sum`, forward and backward, on a random two-layer model, so that the output layer is nearly all
there is. One tree of `labels` labelled positions for each row; each is measured in a process of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from benchmarks import _common as common
from benchmarks._shapes import TrainShape, train_examples
from benchmarks._sides import Gate, Side
from bsft import config as cfg
from bsft.data.batches import tree_batch
from bsft.model import fast
from bsft.model.backbone import Backbone
from bsft.model.module import BehaviorLM
from bsft.model.tiny import tiny_tokenizer

VOCABULARY = 262_144
_LABELS = (64, 256, 1024, 4096)
_WIDTH = 64
_PROMPT_TOKENS = 8


@dataclass(frozen=True)
class OutputTask:
    """One loss on an example with `n_labels` labels, again and again."""

    device: str
    dtype: str
    n_labels: int


def run_loss(gate: Gate, task: OutputTask) -> None:
    """Forward and backward of the loss with respect to the hidden states and the layers' weights."""
    config = AutoConfig.for_model(
        "llama",
        vocab_size=VOCABULARY,
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    causal = AutoModelForCausalLM.from_config(config, dtype=common.DTYPES[task.dtype])  # type: ignore[no-untyped-call]
    causal.get_input_embeddings().weight.requires_grad_(False)
    backbone = Backbone(causal.to(task.device), tiny_tokenizer(), None)
    fast.install(backbone)
    module = BehaviorLM(backbone, cfg.FitConfig(), n_steps=1)
    backbone.use_attention(backbone.tree_attention)
    shape = TrainShape(1, _PROMPT_TOKENS, task.n_labels + 1, task.n_labels)
    batch = tree_batch(train_examples(shape), behavior_weight=1.0).to(torch.device(task.device))
    losses: list[float] = []
    while True:
        gate.pause(losses)
        loss = module.loss_sum(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        losses = [loss.item()]


def main() -> None:
    parser = common.parser(__doc__, repetitions=2)
    parser.add_argument("--labels", type=int, nargs="+", default=list(_LABELS), help="numbers of labelled positions")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for n_labels in arguments.labels:
        with Side(f"{n_labels} labels", run_loss, arguments.device) as side:
            side.start(OutputTask(arguments.device, arguments.dtype, n_labels))
            reports = [side.step() for _ in range(arguments.repetitions)]
        logits_bytes = n_labels * VOCABULARY * 4
        peak_bytes = max(r.peak_bytes for r in reports)
        rows.append({"n_labels": n_labels, "logits_bytes": logits_bytes, "peak_bytes": peak_bytes})
    common.show(
        f"Loss with {VOCABULARY} tokens in the vocabulary, {arguments.dtype}",
        ["labels", "fp32 logits, MiB", "peak above model, MiB"],
        [(str(r["n_labels"]), f"{r['logits_bytes'] / 2**20:.0f}", f"{r['peak_bytes'] / 2**20:.0f}") for r in rows],
    )
    figures = {"benchmark": "output_layer", "dtype": arguments.dtype, "rows": rows}
    figures["environment"] = common.environment(arguments.device)
    peaks = {f"{r['n_labels']} labels, peak MiB": common.mib(r["peak_bytes"]) for r in rows}
    common.write(arguments, figures, peaks)


if __name__ == "__main__":
    main()
