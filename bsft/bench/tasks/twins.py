"""Items of the proactive tasks: both twins of a pair, and the control in which somebody has dealt with the problem."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bsft.bench.casefile import CaseFile
from bsft.bench.perturb import HELDOUT_KINDS, Pair, clarify, settle
from bsft.bench.records import Item, TaskSpec
from bsft.bench.scene import Scene, capitalise, fill
from bsft.bench.tasks.claims import Reply, core_fields, flag_reply
from bsft.bench.tasks.common import fit_lengths
from bsft.bench.wordings import Errand, allowed

NO_FLAG = "no_flag"

HELDOUT_BOOST = 5
"""How much more often `test_heldout` has a kind that no other split has."""

ASIDE_SHARE = 0.5
"""Share of pairs in which somebody settles another matter, in both twins, so that such a remark says nothing."""

_FIELD = re.compile(r"\{(\w+)\}")


def proactive_items(
    spec: TaskSpec, case: CaseFile, pair: Pair, fields: Mapping[str, str], *, round_: int, distractor: bool
) -> Iterator[Item]:
    """Both twins of a pair and, if asked for, the control in which somebody has dealt with the problem."""
    rng = case.rng(f"{spec.name} options {round_}")
    known = {**core_fields(case), **fields, **pair.claims}
    errand = rng.choice(allowed(case.words.replies.errands, case.edition))
    replies = [Reply(NO_FLAG, False, _done(case, errand))]
    replies += [flag_reply(case, label, known) for label in spec.labels if label != NO_FLAG and possible(case, label)]
    options = fit_lengths(replies, rng)
    clarified = pair.kind.startswith("ambiguity/")
    others = _other_matters(spec, case, pair)
    if not clarified and others and rng.random() < ASIDE_SHARE:
        pair = replace(pair, clean=settle(case, pair.clean, pair, rng.choice(others), known, rng))
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
        settled = (
            clarify(case, pair.perturbed, pair.slot, pair.label, rng)
            if clarified
            else settle(case, pair.perturbed, pair, pair.label, known, rng)
        )
        yield item("distractor", settled, False)


def _done(case: CaseFile, errand: Errand) -> list[str]:
    """Replies that do what was asked and nothing else."""
    bodies = [capitalise(fill(text, case.fields)) for text in errand.replies]
    starts = allowed(case.words.replies.acknowledgements, case.edition)
    return [start + body for start in starts for body in bodies]


def _other_matters(spec: TaskSpec, case: CaseFile, pair: Pair) -> list[str]:
    """Labels whose remark cannot be about this pair's problem."""
    resolutions = case.words.replies.resolutions
    return [
        label
        for label in spec.labels
        if label not in (NO_FLAG, pair.label)
        and possible(case, label)
        and not pair.claims.keys() & {name.lower() for text in resolutions[label] for name in _FIELD.findall(text)}
    ]


def possible(case: CaseFile, label: str) -> bool:
    """Whether a concern makes sense in this case at all; the same for both twins."""
    return label != "flag_laterality" or case.person.age_years >= case.words.threads.injuries.min_age_years


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
