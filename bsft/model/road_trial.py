"""The ways in which a model can be read, and each against transformers' forward pass, in float32 and on a few short
sequences.

The reference reads one sequence at a time, on a model whose weights have the adapters and the trained rows merged in.
The log-probabilities of replies, the loss and the gradient of all that is trained have to agree.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.layer import ParamWrapper
from peft.utils.other import TrainableTokensWrapper
from torch import Tensor
from torch.func import functional_call
from transformers import DynamicCache, PreTrainedModel

from bsft.data.batches import flat_batch, label_weights, tree_batch
from bsft.data.prefix_tree import build_tree
from bsft.data.render import Example
from bsft.model import fast
from bsft.model.attention import TreeLayout
from bsft.model.label_loss import label_loss
from bsft.records.errors import reason_of

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone

_TOLERANCE = 1e-3
"""Largest difference of a logit, as a share of the logits' standard deviation, and of a gradient, of its norm."""
_BEHAVIOR_WEIGHT = 0.5


@dataclass(frozen=True)
class Road:
    """One way of reading a model.

    Attributes:
        batching: `tree`, or `flat` (separate sequences, padded).
        split: the decoder is run alone, and the output layer only where its result is read; otherwise the whole model
            reads one sequence after the other.
        patches: names of what may stand in the place of the model's own forward passes (`fast.PATCHES`).
    """

    batching: str
    split: bool = True
    patches: frozenset[str] = fast.NAMES

    def __str__(self) -> str:
        if not self.split:
            return "whole forward passes, one sequence at a time"
        return {"tree": "prefix trees", "flat": "padded batches"}[self.batching]


WHOLE = Road("flat", split=False, patches=frozenset())
"""The slowest, which needs nothing of a model but its forward pass."""
OnTrial = Callable[[PreTrainedModel, Road, tuple[int, ...]], "Backbone"]
"""From a model, a road and three token ids to the backbone that a method makes of the model, with those tokens as its
behaviour tokens."""


@dataclass(frozen=True)
class _Numbers:
    """What a road makes of the examples: logits of each one's labels, the loss, and the gradients by name."""

    logits: list[Tensor]
    loss: Tensor
    gradients: dict[str, Tensor]


class RoadTrial:
    """Tries roads on copies of one model in float32."""

    def __init__(self, plain: PreTrainedModel, on_trial: OnTrial) -> None:
        self._on_trial = on_trial
        self._fresh, self._plain = plain, copy.deepcopy(plain)  # some architectures keep what they have read
        self._ids, self._behavior_ids = _draw_ids(plain)
        self.has_adapters = False

    def fault(self) -> str | None:
        """Why the model cannot be used at all; None if it can."""
        begin, one, other = (self._ids[i : i + 12] for i in (0, 12, 24))
        try:
            with torch.no_grad():
                read, again = (_plain_logits(self._plain, {}, torch.tensor(begin + end)) for end in (one, other))
        except Exception as error:
            return f"its forward pass fails with {type(error).__name__}: {reason_of(error, 200)}"
        if not torch.isfinite(read).all():
            return "its logits are not finite"
        if (share := _share(again[:12], read[:12])) > _TOLERANCE:
            return f"it reads ahead (what follows changes a token's logits by {share:.2g} standard deviations)"
        return None

    def difference(self, road: Road) -> str | None:
        """In what a road differs from the reference; None if in nothing.

        Raises:
            BadInput: the method cannot be had on this model.
        """
        backbone = self._on_trial(copy.deepcopy(self._fresh), road, self._behavior_ids)
        backbone.module.eval()  # new adapters would drop out
        self.has_adapters = backbone.adapted is not None
        _perturb(backbone)
        examples = _examples(self._ids, None if backbone.vocabulary is None else self._behavior_ids)
        expected = self._reference(backbone, examples)
        try:
            with backbone.reading(road.batching):
                found = _numbers(backbone, road, examples)
        except Exception as error:  # whatever a model does not take; it is what the user is told
            return f"it fails with {type(error).__name__}: {reason_of(error, 200)}"
        share = max(_share(mine, theirs) for mine, theirs in zip(found.logits, expected.logits, strict=True))
        if not share <= _TOLERANCE:
            return f"logits differ from transformers' own by {share:.2g} of their standard deviation"
        if not (off := abs(found.loss / expected.loss - 1).item()) <= _TOLERANCE:
            return f"the loss differs from transformers' own by {off:.2g} of itself"
        return _gradient_difference(found.gradients, expected.gradients)

    def _reference(self, backbone: Backbone, examples: Sequence[Example]) -> _Numbers:
        logits, losses = [], []
        merged = merged_weights(backbone)
        for example in examples:
            start = len(example.prompt_ids)
            read = _plain_logits(self._plain, merged, torch.tensor(example.ids[:-1]))[start - 1 :]
            each = F.cross_entropy(read, torch.tensor(example.ids[start:]), reduction="none")
            losses.append((each * torch.tensor(label_weights(example, _BEHAVIOR_WEIGHT))).sum())
            logits.append(read.detach())
        return _with_gradients(backbone, logits, torch.stack(losses).sum())


def merged_weights(backbone: Backbone) -> dict[str, Tensor]:
    """A backbone's parameters, each in its own shape, under the names of the plain model, with adapters and trained
    rows merged in; gradients flow into what is trained."""
    if backbone.adapted is None:
        return dict(backbone.causal.named_parameters())
    merged: dict[str, Tensor] = {}
    for name, module in backbone.causal.named_modules():
        part = cast(Any, module)
        if isinstance(module, ParamWrapper):  # one in the other, where a module has several adapted parameters
            own = f"{name.replace('.base_layer', '')}.{part.parameter_name}"
            merged[own] = part.get_param() + part.get_delta_weight(part.active_adapters[0])
        elif isinstance(module, LoraLayer):
            base = part.get_base_layer().weight
            merged[f"{name}.weight"] = base + part.get_delta_weight(part.active_adapters[0])
        elif isinstance(module, TrainableTokensWrapper):
            merged[f"{name}.weight"] = part.token_adapter.get_merged_weights(part.active_adapters)
    return merged


def _plain_logits(plain: PreTrainedModel, weights: dict[str, Tensor], ids: Tensor) -> Tensor:
    """`(T, V)`"""
    known = dict(plain.named_parameters())  # a tied matrix under its first name only
    own = {name: weight for name, weight in weights.items() if name in known}
    outputs: Any = functional_call(plain, own, (), {"input_ids": ids[None], "use_cache": False})
    return cast(Tensor, outputs.logits[0])


def _numbers(backbone: Backbone, road: Road, examples: Sequence[Example]) -> _Numbers:
    if road.batching == "tree":
        batch = tree_batch(examples, behavior_weight=_BEHAVIOR_WEIGHT)
        logits = list(_tree_logits(backbone, examples))
    else:
        batch = flat_batch(examples, pad_id=0, behavior_weight=_BEHAVIOR_WEIGHT)
        with torch.no_grad():
            read = [backbone.hidden_states(torch.tensor([e.ids[:-1]]), use_cache=False)[0] for e in examples]
            logits = [backbone.logits(own[len(e.prompt_ids) - 1 :]) for own, e in zip(read, examples, strict=True)]
    loss = label_loss(backbone.logits(backbone.label_states(batch)), batch.targets, batch.weights)
    return _with_gradients(backbone, logits, loss)


def _with_gradients(backbone: Backbone, logits: list[Tensor], loss: Tensor) -> _Numbers:
    trained = backbone.trainable()
    parameters = list(trained.values())
    found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True) if trained else ()
    return _Numbers(logits, loss.detach(), dict(zip(trained, found, strict=True)))


@torch.no_grad()
def _tree_logits(backbone: Backbone, examples: Sequence[Example]) -> Iterator[Tensor]:
    """As options are scored: the prompts first, then every reply as a branch that grows from its prompt's cache."""
    cache = DynamicCache()
    prompts = build_tree([e.prompt_ids for e in examples])
    replies = build_tree([e.ids[len(e.prompt_ids) : -1] for e in examples], prompts.paths)
    states = []
    for layout in (TreeLayout(prompts), TreeLayout(replies, prompts.depths)):
        ids, depths = (torch.from_numpy(each)[None] for each in (layout.tree.ids, layout.tree.depths))
        options: dict[str, Any] = {"past_key_values": cache, "use_cache": True}
        states.append(backbone.hidden_states(ids, position_ids=depths, tree=layout, **options)[0])
    for prompt, reply in zip(prompts.paths, replies.paths, strict=True):
        yield backbone.logits(torch.cat([states[0][prompt[-1:]], states[1][reply]]))


def _draw_ids(plain: PreTrainedModel) -> tuple[list[int], tuple[int, ...]]:
    """Ids of ordinary tokens in random order, and three more that stand for the behaviour tokens."""
    text = plain.config.get_text_config()
    special: set[Any] = set()
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        value = getattr(text, name, None)
        special.update(value if isinstance(value, list) else [value])
    order = torch.randperm(text.vocab_size, generator=torch.Generator().manual_seed(0)).tolist()
    ids = [i for i in order if i not in special]
    return ids[3:] * (1 + 64 // len(ids)), tuple(ids[:3])


def _examples(ids: Sequence[int], behavior_ids: tuple[int, ...] | None) -> list[Example]:
    """Three short sequences: two on one prompt, whose replies begin alike, and one on a prompt that begins like it."""
    near, far = (*ids[:9], *ids[9:13]), (*ids[:9], *ids[13:20])
    replies = [(near, ids[20:26]), (near, (*ids[20:22], *ids[26:33])), (far, ids[33:38])]
    return [
        Example(str(i), "", prompt, None if behavior_ids is None else behavior_ids[i % 2], tuple(reply))
        for i, (prompt, reply) in enumerate(replies)
    ]


def _perturb(backbone: Backbone) -> None:
    """Adapters start as zeros, which would hide them."""
    if backbone.adapted is None:
        return
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in backbone.trainable().values():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * (parameter.std(correction=0) / 4 + 0.05))


def _share(found: Tensor, expected: Tensor) -> float:
    """The largest difference of logits (rows are equal up to a constant), as a share of their standard deviation."""
    mine, theirs = (rows.float() - rows.float().mean(-1, keepdim=True) for rows in (found, expected))
    return ((mine - theirs).abs().max() / theirs.std()).item()


def _gradient_difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> str | None:
    least = 1e-3 * max((g.norm().item() for g in expected.values()), default=0.0)
    for name, gradient in expected.items():
        off = (found[name] - gradient).norm().item()
        if not off <= _TOLERANCE * (gradient.norm().item() + least):
            return f"the gradient of {name} differs from transformers' own by {off:.2g} of {gradient.norm():.2g}"
    return None
