"""lm-evaluation-harness's side: log-likelihoods of its `hf` backend, stopped at the gate between passes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from benchmarks._common import DTYPES
from benchmarks._sides import Gate
from bsft.data.render import Candidates


@dataclass(frozen=True)
class LmEvalTask:
    """Passes over the same requests: one for each option, with the whole prompt as its context."""

    weights: str
    device: str
    dtype: str
    candidates: list[Candidates]
    batch_size: int


def run_lm_eval(gate: Gate, task: LmEvalTask) -> None:
    """Runs the backend's own scoring of token ids, which `loglikelihood` calls once it has encoded its strings."""
    disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    causal = AutoModelForCausalLM.from_pretrained(
        task.weights, dtype=DTYPES[task.dtype], attn_implementation="sdpa", device_map=task.device
    )
    tokenizer = AutoTokenizer.from_pretrained(task.weights)
    backend = HFLM(pretrained=causal, tokenizer=tokenizer, batch_size=task.batch_size)
    requests = [
        ((f"{number}", f"{k}"), list(candidate.prompt_ids), list(option))
        for number, candidate in enumerate(task.candidates)
        for k, option in enumerate(candidate.option_ids)
    ]
    values: list[float] = []
    while True:
        gate.pause(values)
        values = [log_likelihood for log_likelihood, _ in backend._loglikelihood_tokens(requests, disable_tqdm=True)]
