"""Training when the lower layers carry no adapter (`trainer.fit.first_layer`): no backward pass where nothing that is
trained can be reached.

Below the first adapted layer only the behaviour tokens' rows are trained, and a token that stands before the behaviour
token does not depend on them. So the lower layers read the prompts without autograd, and then, with it, only behaviour
tokens and replies, as branches that grow from the prompts' keys and values. The adapted layers see the whole tree.
Loss and gradients are those of the ordinary pass.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from bsft.data.prefix_tree import Ints, PrefixTree, build_tree
from bsft.model.attention import TreeLayout
from bsft.model.parts import decoder_layers, decoder_of, embedding_of

if TYPE_CHECKING:
    from bsft.model.backbone import Backbone


def cut_tree(layout: TreeLayout, marked: tuple[int, ...]) -> list[tuple[TreeLayout, Tensor]]:
    """Cuts a tree before the first token of each path that is one of `marked`.

    Returns:
        The tree above the cuts and what grows from it, each with the places of its tokens in the whole tree, `(n,)`.

    Raises:
        ValueError: a path without such a token, or one that begins with it.
    """
    tree = layout.tree
    is_marked = np.isin(tree.ids, marked)
    if not all(is_marked[path].any() for path in tree.paths):
        raise ValueError("a path of the tree has no marked token to cut it at")
    cuts = [int(np.argmax(is_marked[path])) for path in tree.paths]
    heads = [path[:cut] for path, cut in zip(tree.paths, cuts, strict=True)]
    tails = [path[cut:] for path, cut in zip(tree.paths, cuts, strict=True)]
    fixed = build_tree([tree.ids[head].tolist() for head in heads])
    below = build_tree([tree.ids[tail].tolist() for tail in tails], fixed.paths)
    return [(TreeLayout(fixed), _places(fixed, heads)), (TreeLayout(below, fixed.depths), _places(below, tails))]


def _places(part: PrefixTree, in_whole: list[Ints]) -> Tensor:
    places = np.empty(part.n_tokens, np.int64)
    for own, whole in zip(part.paths, in_whole, strict=True):
        places[own] = whole
    return torch.from_numpy(places)


def first_trained_layer(causal: PreTrainedModel) -> int:
    """Number of the first decoder layer that holds a trainable parameter (the number of layers if none does)."""
    layers = decoder_layers(causal)
    trained = [i for i, layer in enumerate(layers) if any(p.requires_grad for p in layer.parameters())]
    return trained[0] if trained else len(layers)


def applies(backbone: Backbone) -> bool:
    """Whether behaviour tokens are trained, and the lowest layer is not."""
    has_rows = backbone.vocabulary is not None and not backbone.vocabulary.is_words
    return (
        has_rows
        and backbone.road.batching == "tree"
        and backbone.adapted is not None
        and first_trained_layer(backbone.causal) > 0
    )


def install(backbone: Backbone) -> None:
    """Puts a decoding by parts in the place of the whole one."""
    assert backbone.vocabulary is not None
    n_frozen = first_trained_layer(backbone.causal)
    decode = partial(_decode, backbone.causal, backbone.decode, n_frozen, backbone.vocabulary.ids)
    backbone.decode = decode  # type: ignore[method-assign]


def _decode(
    causal: PreTrainedModel,
    whole: Callable[..., Tensor],
    n_frozen: int,
    marked: tuple[int, ...],
    input_ids: Tensor,
    **inputs: Any,
) -> Tensor:
    """`Backbone.decode`, `(1, N)` -> `(1, N, H)`: by parts where a tree is read for a backward pass."""
    if "tree" not in inputs or not torch.is_grad_enabled() or causal.is_gradient_checkpointing:
        return whole(input_ids, **inputs)
    layout, position_ids, decoder = inputs["tree"], inputs["position_ids"], decoder_of(causal)
    embeds = embedding_of(causal)(input_ids)
    parts = [(part, places.to(embeds.device)) for part, places in cut_tree(layout, marked)]
    lower, upper = _part(decoder, slice(0, n_frozen)), _part(decoder, slice(n_frozen, None))
    cache = DynamicCache()
    states = []
    for (part, places), has_gradient in zip(parts, (False, True), strict=True):
        with torch.set_grad_enabled(has_gradient):
            states.append(_run(lower, embeds[:, places], position_ids[:, places], part, past_key_values=cache))
    order = torch.argsort(torch.cat([places for _, places in parts]))
    return _run(upper, torch.cat(states, dim=1)[:, order], position_ids, layout)


def _run(part: nn.Module, embeds: Tensor, position_ids: Tensor, layout: TreeLayout, **options: Any) -> Tensor:
    options["use_cache"] = "past_key_values" in options
    outputs = part(inputs_embeds=embeds, position_ids=position_ids, tree=layout, **options)
    return cast(Tensor, outputs.last_hidden_state)


def _part(decoder: nn.Module, which: slice) -> nn.Module:
    """Some of a decoder's layers as a decoder of their own, on the same weights; the final norm goes with the last."""
    part = copy.copy(decoder)
    part._modules = dict(decoder._modules)
    part.layers = cast(nn.ModuleList, decoder.layers)[which]
    if which.stop is not None:
        part.norm = nn.Identity()
    config: Any = copy.copy(decoder.config)
    config.num_hidden_layers = len(part.layers)
    if (layer_types := getattr(config, "layer_types", None)) is not None:
        config.layer_types = layer_types[which]
    part.config = config
    return part
