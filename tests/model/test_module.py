"""The loss and the training loop: what is divided by what, what a step sees, what a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning import Callback, LightningModule, Trainer
from making import examples_of, head_weight, make_backbone, make_config, make_renderer, method_config, shaken
from torch import Tensor

from bsft import config as cfg
from bsft.data.batches import flat_batch, tree_batch
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.render import Example
from bsft.model.backbone import Backbone
from bsft.model.module import BehaviorLM
from bsft.records.errors import BadInput
from bsft.records.store import open_benchmark


def module_of(backbone: Backbone, batching: str = "flat", n_steps: int = 1, **fit: Any) -> BehaviorLM:
    backbone.use_attention(backbone.tree_attention if batching == "tree" else "sdpa")
    return BehaviorLM(backbone, cfg.FitConfig(**fit), n_steps=n_steps)


# --- the loss -------------------------------------------------------------------------------------------------------


def by_hand(backbone: Backbone, example: Example) -> tuple[float, float]:
    """-log p(b | x) and -sum log p(y_t | x, b, y_<t) of one example."""
    with torch.no_grad():
        log_probs = F.log_softmax(backbone.causal(torch.tensor([example.ids])).logits[0], -1)
    n = len(example.prompt_ids)
    terms = [-log_probs[t - 1, example.ids[t]].item() for t in range(n, len(example.ids))]
    return (terms[0], sum(terms[1:])) if example.behavior_id is not None else (0.0, sum(terms))


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_the_loss_is_the_equation_and_the_weight_is_on_the_behaviour_term_only(weight: float) -> None:
    backbone = shaken(make_backbone())
    examples = examples_of(backbone, [0])
    terms = [by_hand(backbone, example) for example in examples]
    expected = sum(weight * b + y for b, y in terms)
    for batch, batching in (
        (flat_batch(examples, pad_id=0, behavior_weight=weight), "flat"),
        (tree_batch(examples, behavior_weight=weight), "tree"),
    ):
        loss = module_of(backbone, batching).loss_sum(batch).item()
        assert loss == pytest.approx(expected, rel=1e-5)


def test_without_tokens_the_first_term_is_absent() -> None:
    method = method_config("general_sft")
    backbone = shaken(make_backbone(method=method))
    examples = examples_of(backbone, [0], method)
    expected = sum(y for _, y in (by_hand(backbone, example) for example in examples))
    loss = module_of(backbone).loss_sum(flat_batch(examples, pad_id=0, behavior_weight=1.0))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_logits_are_computed_in_slices_without_changing_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = shaken(make_backbone())
    module = module_of(backbone, "tree")
    batch = tree_batch(examples_of(backbone, [0]), behavior_weight=1.0)
    expected = module.loss_sum(batch)
    trained = list(backbone.trainable().values())
    gradients = torch.autograd.grad(expected, trained)
    monkeypatch.setattr("bsft.model.module._LOGITS_AT_ONCE", 1000)  # three positions of 262 logits
    found = module.loss_sum(batch)
    torch.testing.assert_close(found, expected)
    for mine, theirs in zip(torch.autograd.grad(found, trained), gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_what_is_kept_for_the_backward_pass_does_not_grow_with_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the 262,144 tokens of Gemma 3, the logits of one label take a megabyte."""
    monkeypatch.setattr("bsft.model.module._LOGITS_AT_ONCE", 1 << 18)

    def kept_bytes(n_tokens: int) -> int:
        backbone = make_backbone(method=method_config("general_sft"))
        backbone.causal.resize_token_embeddings(n_tokens, mean_resizing=False)
        backbone.causal.requires_grad_(False)
        examples = examples_of(backbone, [0, 1], method_config("general_sft"))
        batch = flat_batch(examples, pad_id=0, behavior_weight=1.0)
        seen: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            if tensor.data_ptr() != head_weight(backbone).data_ptr():
                seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            hidden = torch.randn(len(batch.positions), backbone.causal.config.hidden_size, requires_grad=True)
            monkeypatch.setattr(backbone, "hidden_states", lambda *_, **__: hidden[None])
            batch.positions = torch.arange(len(batch.positions))
            module_of(backbone).loss_sum(batch)
        assert len(batch.positions) > 20
        return sum(seen.values())

    assert kept_bytes(262_144) < 262_144 * 4, "less than the logits of one label"


# --- a step ---------------------------------------------------------------------------------------------------------


class Watcher(Callback):
    """Keeps each step's gradients and loss."""

    def __init__(self) -> None:
        self.gradients: list[dict[str, Tensor]] = []
        self.losses: list[float] = []

    def on_before_optimizer_step(self, trainer: Trainer, module: LightningModule, optimizer: Any) -> None:
        assert isinstance(module, BehaviorLM)
        found = {name: p.grad.clone() for name, p in module.backbone.trainable().items() if p.grad is not None}
        self.gradients.append(found)

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        self.losses.append(float(trainer.callback_metrics["train/loss"]))


Fitted = Callable[..., Watcher]


@pytest.fixture
def fitted(small: Path, tmp_path: Path) -> Fitted:
    """Trains the tiny model in memory."""

    def run(
        method: cfg.SftConfig | None = None,
        batching: str = "tree",
        *,
        change: Callable[[Backbone], object] = lambda backbone: None,
        optim: dict[str, Any] | None = None,
        **fit: Any,
    ) -> Watcher:
        chosen = method or method_config()
        recipe = {
            "max_epochs": 99,
            "max_steps": 1,
            "optim": cfg.OptimConfig(**(optim or {"max_grad_norm": 0.0})),
            **fit,
        }
        config = make_config(small, method=chosen, batching=batching, fit=recipe)
        backbone = make_backbone(method=chosen)
        change(backbone)
        data = BehaviorBenchDataModule(
            config, open_benchmark(small), make_renderer(backbone, chosen), batching=batching
        )
        data.setup("fit")
        module = BehaviorLM(backbone, config.trainer.fit, n_steps=len(data.plan))
        watcher = Watcher()
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=1,
            max_steps=len(data.plan),
            limit_val_batches=0,
            logger=False,
            callbacks=[watcher],
            default_root_dir=tmp_path,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with backbone.reading(batching):
            trainer.fit(module, datamodule=data)
        return watcher

    return run


def assert_close(a: dict[str, Tensor], b: dict[str, Tensor], tolerance: float = 1e-4) -> None:
    assert a.keys() == b.keys() and a
    for name in a:
        assert (a[name] - b[name]).norm() <= tolerance * b[name].norm(), name


@pytest.mark.parametrize("batching", ["tree", "flat"])
def test_micro_batches_do_not_change_the_gradient(fitted: Fitted, batching: str) -> None:
    """The loss is divided by the answer tokens of the whole step, not of each micro-batch."""
    whole = fitted(batching=batching, change=shaken, micro_batch_tokens=100_000)
    cut = fitted(batching=batching, change=shaken, micro_batch_tokens=150)
    assert_close(cut.gradients[0], whole.gradients[0])
    assert cut.losses[0] == pytest.approx(whole.losses[0], rel=1e-5)


def test_the_loss_of_a_step_is_per_answer_token(fitted: Fitted, small: Path) -> None:
    watcher = fitted(change=shaken, cases_per_step=12)
    backbone = shaken(make_backbone())
    renderer = make_renderer(backbone)
    examples = [renderer.example(item) for item in open_benchmark(small).items("train")]
    terms = [by_hand(backbone, example) for example in examples]
    n_answer_tokens = sum(len(example.answer_ids) for example in examples)
    assert watcher.losses[0] == pytest.approx(sum(b + y for b, y in terms) / n_answer_tokens, rel=1e-5)


def test_general_sft_learns_answers_with_the_same_denominator(fitted: Fitted) -> None:
    """At `w_b = 0` only the token's place in the context tells the two losses apart, which is little at the start."""
    general = fitted(method_config("general_sft"))
    silent = fitted(method_config(behavior=cfg.BehaviorConfig(loss_weight=0.0)))
    assert silent.losses[0] == pytest.approx(general.losses[0], rel=0.02)
    marked = fitted(method_config())
    assert marked.losses[0] > silent.losses[0]


def test_gradients_are_clipped_to_their_norm(fitted: Fitted) -> None:
    free = fitted(change=shaken)
    clipped = fitted(change=shaken, optim={"max_grad_norm": 0.01})
    norms = [torch.cat([g.flatten() for g in w.gradients[0].values()]).norm().item() for w in (free, clipped)]
    assert norms[0] > 0.02
    assert norms[1] == pytest.approx(0.01, rel=1e-3)


def test_flat_and_tree_training_coincide_over_fifty_steps(fitted: Fitted) -> None:
    recipe: dict[str, Any] = {"max_steps": 50, "cases_per_step": 2, "optim": {"lr": 1e-2}}
    tree, flat = (fitted(batching=batching, **recipe).losses for batching in ("tree", "flat"))
    assert len(tree) == len(flat) == 50
    assert max(abs(a - b) for a, b in zip(tree, flat, strict=True)) <= 1e-4
    assert tree[-1] < tree[0] - 0.5, "something is learnt"


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_training_moves_every_trainable_and_nothing_else(fitted: Fitted, tuning: str) -> None:
    seen: list[tuple[Backbone, dict[str, Tensor]]] = []

    def remember(backbone: Backbone) -> None:
        seen.append((backbone, {name: p.detach().clone() for name, p in backbone.module.named_parameters()}))

    fitted(method_config(tuning=tuning), change=remember, max_steps=3)
    [(backbone, before)] = seen
    moved = {name for name, p in backbone.module.named_parameters() if not torch.equal(p, before[name])}
    assert moved == set(backbone.trainable())


def test_checkpointing_does_not_change_a_step(fitted: Fitted) -> None:
    plain = fitted(change=shaken)
    saving = fitted(method_config(gradient_checkpointing=True), change=shaken)
    assert_close(saving.gradients[0], plain.gradients[0], 1e-6)


def test_dropout_is_on_while_training(fitted: Fitted) -> None:
    lora = cfg.LoraConfig(dropout=0.5)
    assert fitted(method_config(lora=lora), change=shaken).losses != fitted(change=shaken).losses


def test_a_loss_that_is_not_finite_stops_with_advice(fitted: Fitted) -> None:
    def poison(backbone: Backbone) -> None:
        with torch.no_grad():
            next(iter(backbone.trainable().values())).fill_(math.nan)

    with pytest.raises(BadInput, match=r"the loss is nan at step 1; lower trainer\.fit\.optim\.lr \(now 0\.001\)"):
        fitted(change=poison)


# --- the schedule and checkpoints -----------------------------------------------------------------------------------


def test_the_learning_rate_warms_up_and_decays_along_a_cosine() -> None:
    optim = cfg.OptimConfig(warmup_fraction=0.1, final_lr_fraction=0.2)
    module = module_of(make_backbone(), n_steps=40, optim=optim)
    factors = [module._lr_factor(step) for step in (0, 1, 2, 3, 4, 22, 40, 99)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, 1, 1, 0.6, 0.2, 0.2])


def test_without_warm_up_the_first_step_has_the_full_rate() -> None:
    module = module_of(make_backbone(), n_steps=1, optim=cfg.OptimConfig(warmup_fraction=0.0, final_lr_fraction=0.0))
    assert module._lr_factor(0) == 1
    assert module._lr_factor(1) == pytest.approx(0)


@pytest.mark.parametrize(("architecture", "n_rows"), [("llama", 1), ("llama_untied", 2)])
def test_the_tokens_rows_have_a_rate_of_their_own(architecture: str, n_rows: int) -> None:
    backbone = make_backbone(architecture)
    module = BehaviorLM(backbone, cfg.FitConfig(), n_steps=1, row_lr=0.5)
    optimizer = module.configure_optimizers()["optimizer"]
    adapters, rows = optimizer.param_groups
    assert len(adapters["params"]) + len(rows["params"]) == len(backbone.trainable())
    assert len(rows["params"]) == n_rows
    assert (adapters["initial_lr"], rows["initial_lr"]) == (1e-3, 0.5)


def test_without_rows_there_is_one_rate() -> None:
    module = module_of(make_backbone(method=method_config("general_sft")))
    assert len(module.configure_optimizers()["optimizer"].param_groups) == 1


def test_a_checkpoint_holds_the_trainables_only() -> None:
    backbone = make_backbone()
    state = module_of(backbone).state_dict()
    assert set(state) == {f"network.{name}" for name in backbone.trainable()}


def test_a_checkpoint_restores_the_trainables_and_must_have_them_all() -> None:
    saved = module_of(shaken(make_backbone())).state_dict()
    fresh = module_of(make_backbone())
    fresh.load_state_dict(saved)
    assert all(torch.equal(tensor, saved[name]) for name, tensor in fresh.state_dict().items())
    lost = next(iter(saved))
    with pytest.raises(BadInput, match=f"the checkpoint lacks 1 trainable parameters, first {lost}"):
        fresh.load_state_dict({name: tensor for name, tensor in saved.items() if name != lost})
