"""Items of the proactive tasks: both twins of a pair, and the control in which somebody has dealt with the problem."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bsft.bench.casefile import CaseFile
from bsft.bench.perturb import HELDOUT_KINDS, Pair, aside, place, remark
from bsft.bench.records import Item, TaskSpec
from bsft.bench.scene import Scene, capitalise, fill
from bsft.bench.tasks.claims import Reply, core_fields, flag_reply
from bsft.bench.tasks.common import fit_lengths
from bsft.bench.wordings import Errand

NO_FLAG = "no_flag"

HELDOUT_BOOST = 5
"""How much more often `test_heldout` has a kind that no other split has."""

ASIDE_SHARE = 0.3
"""Share of pairs in which somebody settles a matter of no importance, in both twins."""


def proactive_items(
    spec: TaskSpec, case: CaseFile, pair: Pair, fields: Mapping[str, str], *, round_: int, distractor: bool
) -> Iterator[Item]:
    """Both twins of a pair and, if asked for, the control in which somebody has dealt with the problem."""
    rng = case.rng(f"{spec.name} options {round_}")
    known = {**core_fields(case), **fields, **pair.claims}
    errands = case.words.replies.errands
    errand = errands[-1] if case.edition == "heldout" else rng.choice(errands[:-1])
    replies = [Reply(NO_FLAG, False, _done(case, errand))]
    replies += [flag_reply(case, label, known) for label in spec.labels if label != NO_FLAG and possible(case, label)]
    options = fit_lengths(replies, rng)
    if rng.random() < ASIDE_SHARE:
        pair = replace(pair, clean=place(case, pair.clean, rng, aside(case, rng)))
    stem = f"{case.case.id}/{spec.name}/{round_}"

    def item(variant: str, scene: Scene, flagged: bool) -> Item:
        perturbed = variant == "perturbed"
        return Item.model_construct(
            id=f"{stem}/{variant}",
            case_id=case.case.id,
            twin_id={"perturbed": f"{stem}/clean", "clean": f"{stem}/perturbed"}.get(variant),
            task=spec.name,
            group=spec.group,
            gold_behavior="proactive" if flagged else "reactive",
            autonomy=("L4" if pair.urgent else "L3") if flagged else "L2",
            turns=scene.turns,
            query=errand.query,
            options=options,
            label=pair.label if flagged else NO_FLAG,
            variant=variant,
            perturbation=pair.record() if perturbed else None,
            determinable=pair.determinable if perturbed else True,
            split=case.split,
            specialty=case.case.specialty,
            images=[],
        )

    yield item("perturbed", pair.perturbed, pair.determinable)
    yield item("clean", pair.clean, False)
    if distractor:
        yield item("distractor", remark(case, pair, known, rng), False)


def _done(case: CaseFile, errand: Errand) -> list[str]:
    """Replies that do what was asked and nothing else."""
    bodies = [capitalise(fill(text, case.fields)) for text in errand.replies]
    return [body + tail for body in bodies for tail in case.words.replies.tails]


def possible(case: CaseFile, label: str) -> bool:
    """Whether a concern makes sense in this case at all; the same for both twins."""
    return label != "flag_laterality" or case.is_lateral


def choose_kind(case: CaseFile, kinds: Mapping[str, float], rng: random.Random) -> list[str]:
    """The kinds in a random order that respects their weights, without those held out from this split."""
    if case.edition == "heldout":
        usable = {kind: weight * (HELDOUT_BOOST if kind in HELDOUT_KINDS else 1) for kind, weight in kinds.items()}
    else:
        usable = {kind: weight for kind, weight in kinds.items() if kind not in HELDOUT_KINDS}
    order = []
    while usable:
        kind = rng.choices(list(usable), list(usable.values()))[0]
        order.append(kind)
        del usable[kind]
    return order
