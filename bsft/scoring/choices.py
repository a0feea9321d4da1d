"""Option log-likelihoods: how likely the model is to say each candidate reply, end of turn included.

A batch is scored as prefix trees: first the prompts of a group of items (what they share is read once), then every
option as a branch that grows from its prompt's cached keys and values. Few-shot exemplars are read once per scorer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from bsft.data.prefix_tree import Ints, PrefixTree, build_tree, common_length
from bsft.data.render import Candidates
from bsft.model.attention import TreeLayout
from bsft.model.backbone import Backbone
from bsft.model.label_loss import log_normalizers
from bsft.records.schema import BEHAVIORS, Behavior

Context = Behavior | None
"""What precedes a reply: a behaviour token, or nothing."""
Contexts = Callable[[Candidates, Behavior | None], Sequence[Context]]
"""From an item and its predicted behaviour (None without tokens) to the contexts that its options are scored under."""
_LOGITS_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Scored:
    """An item's options under one or more contexts.

    `behavior_probs` are p(token | prompt) normalised over the behaviour tokens, or a detector's; None without either.
    `log_likelihoods[context]` holds one sum per option, in option order; `token_log_probs[context]` what it is summed
    of, where it is known.
    """

    candidates: Candidates
    behavior_probs: dict[Behavior, float] | None
    log_likelihoods: dict[Context, list[float]]
    token_log_probs: dict[Context, list[list[float]]] = field(default_factory=dict)

    @property
    def predicted_behavior(self) -> Behavior | None:
        return most_likely(self.behavior_probs)


class _Branch(NamedTuple):
    """An option under a context: its item's place in the group, and the ids of the behaviour token and of the reply."""

    item: int
    context: Context
    token: tuple[int, ...]
    option: tuple[int, ...]


def most_likely(probs: dict[Behavior, float] | None) -> Behavior | None:
    """The first of equals; None without tokens."""
    if probs is None:
        return None
    return max(BEHAVIORS, key=lambda behavior: probs[behavior])


def predicted_context(candidates: Candidates, predicted: Behavior | None) -> Sequence[Context]:
    """The predicted behaviour only; nothing without tokens."""
    return [predicted]


class OptionScorer:
    """Scores candidates with one backbone, whose module is in eval mode."""

    def __init__(
        self, backbone: Backbone, *, batching: str, batch_tokens: int, shared_prefix: Sequence[int] = ()
    ) -> None:
        """
        Args:
            batching: `tree`, or `flat` as the reference that reads every option with its whole prompt.
            batch_tokens: about how many tokens are held at once.
            shared_prefix: ids with which every prompt begins (system prompt, exemplars); read once.
        """
        self._backbone = backbone
        self._batching = batching
        self._batch_tokens = batch_tokens
        self._prefix = np.asarray(shared_prefix, dtype=np.int64)
        self._prefix_cache: DynamicCache | None = None

    def score(
        self,
        candidates: Sequence[Candidates],
        contexts: Contexts = predicted_context,
        on_progress: Callable[[int], None] = lambda n: None,
    ) -> list[Scored]:
        """Scores items in order, a group at a time.

        Args:
            contexts: which contexts to score each item under.
            on_progress: called with the number of items just scored.
        """
        one = self._score_trees if self._batching == "tree" else self._score_flat
        scored: list[Scored] = []
        with self._backbone.reading(self._batching), torch.inference_mode():
            for group in self._groups(candidates):
                scored += one(group, contexts)
                on_progress(len(group))
        return scored

    def prompt_states(
        self, candidates: Sequence[Candidates], on_progress: Callable[[int], None] = lambda n: None
    ) -> Tensor:
        """The last state of each prompt, `(N, H)`."""
        found = []
        with self._backbone.reading(self._batching), torch.inference_mode():
            for group in self._groups(candidates):
                found.append(self._flat_ends(group) if self._batching == "flat" else self._read_prompts(group)[-1])
                on_progress(len(group))
        return torch.cat(found)

    def _groups(self, candidates: Sequence[Candidates]) -> Iterator[list[Candidates]]:
        """Items of the same cases together, up to about `batch_tokens` tokens of prompts and options."""
        group: list[Candidates] = []
        size, case = 0, None
        for candidate in candidates:
            own = sum(map(len, candidate.option_ids))
            own += len(candidate.prompt_ids) if case != candidate.item.case_id else len(candidate.prompt_ids) // 4
            if group and size + own > self._batch_tokens:
                yield group
                group, size, case = [], 0, None
            group.append(candidate)
            size, case = size + own, candidate.item.case_id
        if group:
            yield group

    # --- trees ---

    def _read_prompts(self, group: list[Candidates]) -> tuple[int, DynamicCache, PrefixTree, Tensor]:
        """How many ids of the shared prefix were skipped, the cache, the prompts' tree without them, and the state at
        the end of each, `(N, H)`."""
        device = self._device
        skip = len(self._prefix)
        if any(common_length(np.asarray(c.prompt_ids[:-1]), self._prefix) < skip for c in group):
            skip = 0
        cache = self._start(skip, device)
        tree = build_tree([c.prompt_ids[skip:] for c in group], [np.arange(skip)] * len(group))
        at_ends = [int(path[-1]) for path in tree.paths]
        return skip, cache, tree, self._read(tree.ids, TreeLayout(tree, np.arange(skip)), cache, device)[at_ends]

    def _score_trees(self, group: list[Candidates], contexts: Contexts) -> list[Scored]:
        device = self._device
        skip, cache, tree, ends = self._read_prompts(group)
        depths = np.concatenate([np.arange(skip), tree.depths])
        probs = self._behavior_probs(ends)
        branches = self._branches(group, probs, contexts)
        sequences = [branch.token + branch.option for branch in branches]
        fed = [k for k, sequence in enumerate(sequences) if len(sequence) > 1]
        ancestors = [np.concatenate([np.arange(skip), tree.paths[branches[k].item] + skip]) for k in fed]
        grown = build_tree([sequences[k][:-1] for k in fed], ancestors)
        more = self._read(grown.ids, TreeLayout(grown, depths), cache, device)
        path_of = {k: path + len(group) for k, path in zip(fed, grown.paths, strict=True)}
        positions: list[int] = []
        for k, branch in enumerate(branches):
            positions += [branch.item, *path_of.get(k, np.empty(0, np.int64)).tolist()][len(branch.token) :]
        return self._scored(group, probs, branches, torch.cat([ends, more]), positions)

    def _start(self, skip: int, device: torch.device) -> DynamicCache:
        """A fresh cache that already holds the shared prefix."""
        if skip == 0:
            return DynamicCache()
        if self._prefix_cache is None:
            self._prefix_cache = DynamicCache()
            chain = build_tree([self._prefix.tolist()])
            self._read(chain.ids, TreeLayout(chain), self._prefix_cache, device)
        cache = DynamicCache()
        for number, layer in enumerate(self._prefix_cache.layers):
            own = cast(DynamicLayer, layer)
            cache.update(cast(Tensor, own.keys), cast(Tensor, own.values), number)
        return cache

    def _read(self, ids: Ints, layout: TreeLayout, cache: DynamicCache, device: torch.device) -> Tensor:
        """`(N,)` ids -> `(N, H)` states."""
        hidden = self._backbone.hidden_states(
            torch.from_numpy(ids)[None].to(device),
            position_ids=torch.from_numpy(layout.tree.depths)[None].to(device),
            past_key_values=cache,
            use_cache=True,
            tree=layout,
        )
        return hidden[0]

    # --- flat reference ---

    def _score_flat(self, group: list[Candidates], contexts: Contexts) -> list[Scored]:
        probs = self._behavior_probs(self._flat_ends(group))
        branches = self._branches(group, probs, contexts)
        rows = [(group[item].prompt_ids + token + option, len(option)) for item, _, token, option in branches]
        table = torch.cat([self._read_flat(row[:-1], self._device)[-size:] for row, size in rows])
        return self._scored(group, probs, branches, table, range(len(table)))

    def _flat_ends(self, group: list[Candidates]) -> Tensor:
        return torch.stack([self._read_flat(c.prompt_ids, self._device)[-1] for c in group])

    def _read_flat(self, ids: Sequence[int], device: torch.device) -> Tensor:
        return self._backbone.hidden_states(torch.tensor([ids], device=device), use_cache=False)[0]

    # --- shared ---

    @property
    def _device(self) -> torch.device:
        return next(self._backbone.causal.parameters()).device

    def _branches(
        self, group: Sequence[Candidates], probs: Sequence[dict[Behavior, float] | None], contexts: Contexts
    ) -> list[_Branch]:
        """Every option under every context that it is wanted under."""
        vocabulary = self._backbone.vocabulary
        found = []
        for i, (candidate, own) in enumerate(zip(group, probs, strict=True)):
            for context in contexts(candidate, most_likely(own)):
                assert context is None or vocabulary is not None
                token = () if context is None or vocabulary is None else vocabulary.ids_of(context)
                found += [_Branch(i, context, token, option) for option in candidate.option_ids]
        return found

    def _behavior_probs(self, ends: Tensor) -> list[dict[Behavior, float] | None]:
        vocabulary = self._backbone.vocabulary
        if (detector := self._backbone.detector) is not None:
            return [dict(zip(BEHAVIORS, row, strict=True)) for row in detector.probabilities(ends).tolist()]
        if vocabulary is None:
            return [None] * len(ends)
        logits = self._backbone.logits(ends)[:, list(vocabulary.ids)].float()
        return [dict(zip(BEHAVIORS, row, strict=True)) for row in logits.softmax(-1).tolist()]

    def _scored(
        self,
        group: Sequence[Candidates],
        probs: Sequence[dict[Behavior, float] | None],
        branches: Sequence[_Branch],
        table: Tensor,
        positions: Sequence[int],
    ) -> list[Scored]:
        """The items with log p(token | position) of their options, in float64.

        Each position reaches the output layer once.

        Args:
            table: `(P, H)` states.
            positions: `(N,)` rows of the table, of the tokens before those of the options, option after option.
        """
        at = torch.tensor(positions, device=table.device)
        unique, inverse = torch.unique(at, return_inverse=True)
        target = torch.tensor([token for branch in branches for token in branch.option], device=table.device)
        picked = torch.empty(len(positions), dtype=torch.float64)
        order = inverse.argsort(stable=True)
        rows = max(1, _LOGITS_AT_ONCE // self._backbone.vocabulary_size)
        bounds = torch.searchsorted(inverse[order], torch.arange(0, len(unique) + rows, rows, device=table.device))
        for n, start in enumerate(range(0, len(unique), rows)):
            logits = self._backbone.logits(table[unique[start : start + rows]])
            own = order[bounds[n] : bounds[n + 1]]
            row = inverse[own] - start
            log_probs = logits[row, target[own]].float() - log_normalizers(logits)[row]
            picked[own.cpu()] = log_probs.double().cpu()
        scored = [Scored(candidate, own, {}, {}) for candidate, own in zip(group, probs, strict=True)]
        sizes = [len(branch.option) for branch in branches]
        for branch, values in zip(branches, torch.split(picked, sizes), strict=True):
            item = scored[branch.item]
            item.log_likelihoods.setdefault(branch.context, []).append(values.sum().item())
            item.token_log_probs.setdefault(branch.context, []).append(values.tolist())
        return scored
