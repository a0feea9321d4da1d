"""What the thirteen tasks share: replies of equal length, flags, items, and the making of proactive twins."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from bsft.bench.casefile import CaseFile
from bsft.bench.perturb import HELDOUT_KINDS, Pair, remark, spoken_analyte
from bsft.bench.records import Autonomy, Behavior, ImageSpec, Item, Option, TaskSpec
from bsft.bench.scene import Scene, capitalise, fill
from bsft.bench.simulate import VITAL_PHRASES
from bsft.bench.wordings import Errand, allowed, pick

LENGTH_RATIO = 1.2
"""The longest option of an item has at most this many times the characters of the shortest."""

NO_FLAG = "no_flag"

CORE_CLAIMS: Mapping[str, str] = {
    "flag_allergy": "allergy",
    "flag_critical_vital": "observations",
    "flag_history_medication": "background",
    "flag_critical_lab": "laboratory",
    "flag_lab_value": "laboratory",
    "flag_exam_imaging": "imaging",
}
"""Concerns that any scene could raise wrongly, and the slot that must be there to speak of them."""


@dataclass(frozen=True)
class Reply:
    """One reply of an item in several wordings, of which the builder takes one that fits the others' length."""

    label: str
    flag: bool
    candidates: Sequence[str]


def fit_lengths(replies: Sequence[Reply], rng: random.Random) -> list[Option]:
    """One wording of every reply, such that their lengths differ by at most `LENGTH_RATIO`, in shuffled order.

    Raises:
        ValueError: the replies have no wordings of similar length.
    """
    lengths = [sorted({len(text) for text in reply.candidates}) for reply in replies]
    windows = [
        low
        for low in sorted({length for options in lengths for length in options})
        if all(bisect_left(options, low) < bisect_right(options, low * LENGTH_RATIO) for options in lengths)
    ]
    if not windows:
        shown = "; ".join(f"{r.label}: {lens[0]}-{lens[-1]}" for r, lens in zip(replies, lengths, strict=True))
        raise ValueError(f"no common length of the options: {shown}")
    low = rng.choice(windows)
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


def flag_reply(case: CaseFile, label: str, fields: Mapping[str, str]) -> Reply:
    """A reply that raises the concern `label`, in all its wordings."""
    replies = case.words.replies
    claims = [fill(claim, fields) for claim in replies.claims[label]]
    parts = product(allowed(replies.openers, case.edition), claims, allowed(replies.closers, case.edition))
    return Reply(label, True, ["".join(part) for part in parts])


def core_fields(case: CaseFile) -> dict[str, str]:
    """What the claims about the base scene name."""
    rng = case.rng("claims")
    ordered = case.condition.first_line.dose.drug if case.condition.first_line.dose is not None else None
    allergy = case.foils.allergens.targets.get(case.condition.id)
    drug = ordered or case.home.drug
    if allergy is not None and (allergy.ordered or allergy.drug == case.home.drug):
        drug = allergy.drug
    normal = [a for a in case.labs if a in case.condition.normal_labs]
    limited = [a for a in normal if has_limits(case, a)]
    quiet = [v for v in case.vitals if v not in case.condition.vitals] or list(case.vitals)
    first = case.exams[0]
    return {
        "drug": drug,
        "dosed_drug": ordered or case.home.drug,
        "analyte": spoken_analyte(case.bank.analytes[rng.choice(limited or normal)]),
        "vital": VITAL_PHRASES[rng.choice(quiet)][0],
        "study": case.imaging.study[0].lower() + case.imaging.study[1:]
        if case.imaging.study[1:2].islower()
        else case.imaging.study,
        "site": "the " + (first.site[0].lower() + first.site[1:] if first.site[1:2].islower() else first.site),
    }


def has_limits(case: CaseFile, analyte_id: str) -> bool:
    analyte = case.bank.analytes[analyte_id]
    return analyte.critical_low is not None or analyte.critical_high is not None


def idle_flag(case: CaseFile, scene: Scene, rng: random.Random) -> Reply:
    """An unjustified concern about something that the scene shows, also in wordings as long as a handover."""
    replies = case.words.replies
    fields = core_fields(case)
    if "order" not in scene:
        fields["drug"] = case.home.drug
    labels = [label for label, slot in CORE_CLAIMS.items() if slot in scene]
    openers = [fill(o, case.fields) for w in (replies.openers, replies.long_openers) for o in allowed(w, case.edition)]
    claims = [fill(claim, fields) for label in rng.sample(labels, 2) for claim in replies.claims[label]]
    parts = product(openers, claims, allowed(replies.closers, case.edition))
    return Reply("flag", True, ["".join(part) for part in parts])


def question(case: CaseFile, task: str, rng: random.Random, **fields: str) -> str:
    return capitalise(fill(pick(case.words.replies.questions[task], case.edition, rng), fields))


def answer_item(
    spec: TaskSpec, case: CaseFile, scene: Scene, query: str, replies: Sequence[Reply], label: str,
    rng: random.Random, *, suffix: str = "", autonomy: Autonomy = "L1", images: Sequence[ImageSpec] = (),
) -> Item:  # fmt: skip
    """An item of a reactive or balanced task: the scene, its question, the answers and one unjustified flag."""
    behavior: Behavior = spec.group
    options = fit_lengths([*replies, idle_flag(case, scene, rng)], rng)
    return Item.model_construct(
        id=f"{case.case.id}/{spec.name}{suffix}",
        case_id=case.case.id,
        twin_id=None,
        task=spec.name,
        group=spec.group,
        gold_behavior=behavior,
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
    errand = rng.choice(case.words.replies.errands[:-1] if case.edition != "heldout" else case.words.replies.errands[-1:])
    replies = [Reply(NO_FLAG, False, _done(case, errand))]
    replies += [flag_reply(case, label, known) for label in spec.labels if label != NO_FLAG and possible(case, label)]
    options = fit_lengths(replies, rng)
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
        locus = pair.clean.index(pair.slot) + 1
        position = rng.randint(locus, len(pair.clean.slots))
        yield item("distractor", pair.perturbed.insert(position, remark(case, pair.label, known, rng)), False)


def _done(case: CaseFile, errand: Errand) -> list[str]:
    """Replies that do what was asked and nothing else."""
    bodies = [capitalise(fill(text, case.fields)) for text in errand.replies]
    return [body + tail for body in bodies for tail in case.words.replies.tails]


def possible(case: CaseFile, label: str) -> bool:
    """Whether a concern makes sense in this case at all; the same for both twins."""
    return label != "flag_laterality" or case.is_lateral


def choose_kind(case: CaseFile, kinds: Mapping[str, float], rng: random.Random) -> list[str]:
    """The kinds in a random order that respects their weights, without those held out from this split."""
    usable = {kind: weight for kind, weight in kinds.items() if case.edition == "heldout" or kind not in HELDOUT_KINDS}
    order = []
    while usable:
        kind = rng.choices(list(usable), list(usable.values()))[0]
        order.append(kind)
        del usable[kind]
    return order
