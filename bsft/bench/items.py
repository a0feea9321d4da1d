"""Where items are made: out of a scene, a question and replies of one length, whatever the case's origin."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bsft.bench.problem import Problem
from bsft.bench.replies import NO_FLAG, OptionWordings, fit_lengths
from bsft.bench.scenario import Scenario
from bsft.bench.scene import Scene
from bsft.records.schema import Autonomy, Group, ImageSpec, Item, Option, Perturbation, TaskSpec, Turn, Variant

URGENT = "critical"
"""The family of problems that call for action at once."""

ANSWER_AUTONOMY: Mapping[Group, Autonomy] = {"reactive": "L1", "balanced": "L2"}


def answer_item(
    spec: TaskSpec, scenario: Scenario, scene: Scene, query: str, replies: Sequence[OptionWordings],
    rng: random.Random, *, label: str = "correct", images: Sequence[ImageSpec] = (),
) -> Item:  # fmt: skip
    """An item of a reactive or balanced task: the scene, its question, the answers and one unjustified concern.

    Raises:
        LeftOut: the replies cannot be worded at similar length.
    """
    options = fit_lengths([*replies, scenario.unjustified_concern(scene, rng)], rng)
    return Item.model_construct(
        id=f"{scenario.case.id}/{spec.name}",
        case_id=scenario.case.id,
        task=spec.name,
        group=spec.group,
        gold_behavior=spec.group,
        autonomy=ANSWER_AUTONOMY[spec.group],
        turns=scene.turns,
        query=query,
        options=options,
        label=label,
        split=scenario.split,
        specialty=scenario.case.specialty,
        images=list(images),
    )


@dataclass(frozen=True)
class Alert:
    """What all items about one problem share: the task, the case, the errand for the agent, the replies."""

    spec: TaskSpec
    case_id: str
    split: str
    specialty: str | None
    query: str | None
    options: Sequence[Option]

    def item(
        self, item_id: str, variant: Variant, turns: list[Turn], label: str, *, twin_id: str | None = None,
        perturbation: Perturbation | None = None, determinable: bool = True, urgent: bool = False,
    ) -> Item:  # fmt: skip
        """An item of a proactive task; the agent is to speak up unless its label is `NO_FLAG`."""
        silent = label == NO_FLAG
        return Item.model_construct(
            id=item_id,
            case_id=self.case_id,
            twin_id=twin_id,
            task=self.spec.name,
            group=self.spec.group,
            gold_behavior="reactive" if silent else "proactive",
            autonomy="L2" if silent else "L4" if urgent else "L3",
            turns=turns,
            query=self.query,
            options=list(self.options),
            label=label,
            variant=variant,
            perturbation=perturbation,
            determinable=determinable,
            split=self.split,
            specialty=self.specialty,
        )


def make_alert(
    spec: TaskSpec, scenario: Scenario, labels: Iterable[str], claims: Mapping[str, str], rng: random.Random
) -> Alert:
    """An errand, and replies that run it or raise one of the concerns `labels`, whose claims name `claims`.

    Raises:
        LeftOut: the replies cannot be worded at similar length.
    """
    errand = rng.choice(scenario.allowed(scenario.replies.errands))
    replies = [scenario.errand_done(errand), *(scenario.concern(label, claims) for label in labels)]
    options = fit_lengths(replies, rng)
    return Alert(spec, scenario.case.id, scenario.split, scenario.case.specialty, errand.query, options)


def twin_items(alert: Alert, problem: Problem, stem: str) -> Iterator[Item]:
    """The scene with a problem, and without it; a problem that cannot be seen calls for silence in both."""
    label = problem.label if problem.determinable else NO_FLAG
    yield alert.item(
        f"{stem}/perturbed", "perturbed", problem.perturbed.turns, label, twin_id=f"{stem}/clean",
        perturbation=problem.record(), determinable=problem.determinable, urgent=problem.family == URGENT,
    )  # fmt: skip
    yield alert.item(f"{stem}/clean", "clean", problem.clean.turns, NO_FLAG, twin_id=f"{stem}/perturbed")
