"""What the thirteen tasks share: replies of equal length, items, and the making of proactive twins."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bsft.bench.casefile import CaseFile
from bsft.bench.perturb import HELDOUT_KINDS, Pair, aside, place, remark
from bsft.bench.records import Autonomy, ImageSpec, Item, Option, TaskSpec
from bsft.bench.scene import Scene, capitalise, fill
from bsft.bench.tasks.claims import Reply, core_fields, flag_reply, idle_flag
from bsft.bench.wordings import Errand, allowed, pick

LENGTH_RATIO = 1.2
"""The longest option of an item has at most this many times the characters of the shortest."""

SHORT_SHARE = 0.4
"""Lengths are drawn from the shortest ones that all options can have: every option is read for every item."""

NO_FLAG = "no_flag"

HELDOUT_BOOST = 5
"""How much more often `test_heldout` has a kind that no other split has."""

ASIDE_SHARE = 0.3
"""Share of pairs in which somebody settles a matter of no importance, in both twins."""


def fit_lengths(replies: Sequence[Reply], rng: random.Random) -> list[Option]:
    """One wording of every reply, such that their lengths differ by at most `LENGTH_RATIO`, in shuffled order.

    Raises:
        ValueError: the replies have no wordings of similar length.
    """
    lengths = [sorted({len(text) for text in reply.candidates}) for reply in replies]
    # The shortest option is no longer than the shortest maximum, and the longest reaches the longest minimum.
    lowest, highest = max(options[0] for options in lengths) / LENGTH_RATIO, min(options[-1] for options in lengths)
    windows = [
        low
        for low in sorted({length for options in lengths for length in options if lowest <= length <= highest})
        if all(bisect_left(options, low) < bisect_right(options, low * LENGTH_RATIO) for options in lengths)
    ]
    if not windows:
        shown = "; ".join(f"{r.label}: {lens[0]}-{lens[-1]}" for r, lens in zip(replies, lengths, strict=True))
        raise ValueError(f"no common length of the options: {shown}")
    low = rng.choice(windows[: math.ceil(SHORT_SHARE * len(windows))])
    options = []
    for reply in replies:
        fitting = [text for text in reply.candidates if low <= len(text) <= low * LENGTH_RATIO]
        options.append(Option.model_construct(text=rng.choice(fitting), label=reply.label, flag=reply.flag))
    rng.shuffle(options)
    return options


def framed(case: CaseFile, frames: str, fields: Mapping[str, str]) -> list[str]:
    """An answer's content in every frame and with every end that the edition may use."""
    replies = case.words.replies
    bodies = [capitalise(fill(frame, fields)) for frame in allowed(replies.frames[frames], case.edition)]
    return [body + tail for body in bodies for tail in replies.tails]


def question(case: CaseFile, task: str, rng: random.Random, **fields: str) -> str:
    """The task's request in one of its wordings."""
    return capitalise(fill(pick(case.words.replies.questions[task], case.edition, rng), fields))


def answer_item(
    spec: TaskSpec, case: CaseFile, scene: Scene, query: str, replies: Sequence[Reply], label: str,
    rng: random.Random, *, autonomy: Autonomy = "L1", images: Sequence[ImageSpec] = (),
) -> Item:  # fmt: skip
    """An item of a reactive or balanced task: the scene, its question, the answers and one unjustified flag."""
    options = fit_lengths([*replies, idle_flag(case, scene, rng)], rng)
    return Item.model_construct(
        id=f"{case.case.id}/{spec.name}",
        case_id=case.case.id,
        twin_id=None,
        task=spec.name,
        group=spec.group,
        gold_behavior=spec.group,
        autonomy=autonomy,
        turns=scene.turns,
        query=query,
        options=options,
        label=label,
        variant="plain",
        perturbation=None,
        determinable=None,
        split=case.split,
        specialty=case.case.specialty,
        images=list(images),
    )


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
