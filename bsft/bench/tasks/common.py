"""What the tasks share: replies of equal length, questions, and the items of reactive and balanced tasks."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence

from bsft.bench.bank.load import Bank
from bsft.bench.casefile import CaseFile
from bsft.bench.panels import Panels
from bsft.bench.records import Autonomy, ImageSpec, Item, Option, TaskSpec
from bsft.bench.scene import Scene, capitalise, fill
from bsft.bench.splits import is_heldout
from bsft.bench.tasks.claims import Reply, idle_flag
from bsft.bench.wordings import pick

PanelsOf = Callable[[Bank, bool], Panels]
"""A bank, and whether the condition is held out -> panels."""

IDLE_FLAG = "flag"
"""Label of the unjustified concern."""

LENGTH_RATIO = 1.2
"""The longest option of an item has at most this many times the characters of the shortest."""

SHORT_SHARE = 0.4
"""Lengths are drawn from the shortest ones that all options can have: every option is read for every item."""


def fit_lengths(replies: Sequence[Reply], rng: random.Random) -> list[Option]:
    """One wording of every reply, such that their lengths differ by at most `LENGTH_RATIO`, in shuffled order.

    Raises:
        ValueError: the replies have no wordings of similar length.
    """
    windows = common_lengths(replies)
    if not windows:
        spans = [sorted({len(text) for text in reply.candidates}) for reply in replies]
        shown = "; ".join(f"{r.label}: {span[0]}-{span[-1]}" for r, span in zip(replies, spans, strict=True))
        raise ValueError(f"no common length of the options: {shown}")
    low = rng.choice(windows[: math.ceil(SHORT_SHARE * len(windows))])
    options = []
    for reply in replies:
        fitting = [text for text in reply.candidates if low <= len(text) <= low * LENGTH_RATIO]
        options.append(Option.model_construct(text=rng.choice(fitting), label=reply.label, flag=reply.flag))
    rng.shuffle(options)
    return options


def common_lengths(replies: Sequence[Reply]) -> list[int]:
    """Lengths in characters such that every reply has a wording of that length or up to `LENGTH_RATIO` times longer."""
    lengths = [sorted({len(text) for text in reply.candidates}) for reply in replies]
    # The shortest option is no longer than the shortest maximum, and the longest reaches the longest minimum.
    lowest, highest = max(options[0] for options in lengths) / LENGTH_RATIO, min(options[-1] for options in lengths)
    return [
        low
        for low in sorted({length for options in lengths for length in options if lowest <= length <= highest})
        if all(bisect_left(options, low) < bisect_right(options, low * LENGTH_RATIO) for options in lengths)
    ]


def replies_of(case: CaseFile, frames: str, contents: Sequence[Mapping[str, str]]) -> list[Reply]:
    """The answers of an item in every frame that the edition may use; the first content is the right one."""
    wordings = case.words.replies.frames[frames]
    templates = wordings.held_out if case.edition == "heldout" else wordings.trained
    labels = ["correct", *(f"distractor_{i}" for i in range(1, len(contents)))]
    return [
        Reply(label, False, [capitalise(fill(template, fields)) for template in templates])
        for label, fields in zip(labels, contents, strict=True)
    ]


def panel_replies(case: CaseFile, frames: str, panels: PanelsOf, rng: random.Random) -> list[Reply]:
    """An answer that is right in the case's condition, and answers that are right in others."""
    right, others = panels(case.bank, is_heldout(case.condition)).draw(case.condition.id, rng)
    return replies_of(case, frames, [{"x": answer.text} for answer in (right, *others)])


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
