"""What Python programs may rely on: the same numbers as the command line's, nothing written, nothing slow imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from jobs import only_run, without_cost
from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel

import bsft
from bsft import Benchmark, evaluate, load_run
from bsft.model.tiny import tiny_model, tiny_tokenizer
from bsft.records.errors import BadInput
from bsft.runs.directory import RunDirectory


@pytest.fixture(scope="module")
def run(small: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return only_run(small, tmp_path_factory.mktemp("run"), "trainer.fit.max_steps=2")


def test_a_run_that_is_loaded_gives_its_own_numbers(run: RunDirectory) -> None:
    before = sorted(run.path.rglob("*"))
    loaded = load_run(run.path)
    found = evaluate(loaded).to_dict()
    assert {key: value for key, value in found.items() if key != "cost"} == without_cost(run)
    few = evaluate(loaded, split="val", max_items=4)
    assert (few.split, few.n) == ("val", 4)
    assert evaluate(load_run(run.path, "method.behavior.mode=none"), max_items=4).behavior is not None
    assert sorted(run.path.rglob("*")) == before


def bare_tiny() -> PreTrainedModel:
    model = tiny_model("llama")
    model.config.name_or_path = "somebody/tiny"
    return model


def test_a_loaded_model_is_scored_as_a_baseline_and_stays_as_it_is(small: Path, root: Path) -> None:
    model = bare_tiny().train()
    attention, trainable = model.config._attn_implementation, [p.requires_grad for p in model.parameters()]
    found = evaluate(model, Benchmark.open(small), tokenizer=tiny_tokenizer())
    assert (found.method, found.model, found.data, found.split, found.n) == (
        *("baseline", "somebody-tiny", "small", "test", 24),
    )
    baseline = only_run(small, root, "method=baseline", "trainer.score.bootstrap_samples=1000").metrics()
    assert found.to_dict()["task"] == baseline["task"]
    assert found.flags is not None
    for name in ("auc", "auc_ci95", "paired_auc", "pair_accuracy", "twin_effect_nats"):
        own = getattr(found.flags.overall, name)
        assert own == pytest.approx(baseline["flags"]["overall"][name], rel=1e-2), name
    assert model.training and model.config._attn_implementation == attention
    assert [p.requires_grad for p in model.parameters()] == trainable


def test_an_adapter_that_peft_loads_has_the_numbers_of_its_run(run: RunDirectory, small: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(run.adapter)
    base = bare_tiny()
    base.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    found = evaluate(PeftModel.from_pretrained(base, str(run.adapter)), Benchmark.open(small), tokenizer=tokenizer)
    own = run.metrics()
    assert found.method == "behavior_sft" and found.behavior is not None
    assert found.behavior.token_accuracy == own["behavior"]["token_accuracy"]
    assert found.restraint.over_intervention_rate == own["restraint"]["over_intervention_rate"]
    assert found.flags is not None
    assert found.flags.overall.auc == pytest.approx(own["flags"]["overall"]["auc"])


def test_a_model_of_somebodys_needs_a_benchmark_and_a_tokenizer() -> None:
    with pytest.raises(BadInput, match="needs a benchmark and its tokenizer"):
        evaluate(bare_tiny())


def test_importing_bsft_is_cheap_and_knows_no_other_names() -> None:
    program = "import sys, bsft; sys.exit(any(name in sys.modules for name in ('torch', 'hydra', 'numpy', 'pydantic')))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert not hasattr(bsft, "evaluat")
