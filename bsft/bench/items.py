"""Where items are made: out of a scene, a request and replies, whatever the case's origin."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bsft.bench.problem import Problem
from bsft.bench.replies import NO_FLAG, alert_options, answer_options
from bsft.bench.scenario import Scenario
from bsft.bench.scene import Scene
from bsft.records.schema import Autonomy, Group, ImageSpec, Item, Option, Perturbation, TaskSpec, Track, Turn, Variant

URGENT = "critical"
"""The family of problems that call for action at once."""

ANSWER_AUTONOMY: Mapping[Group, Autonomy] = {"reactive": "L1", "balanced": "L2"}


def answer_item(
    spec: TaskSpec, scenario: Scenario, scene: Scene, query: str, answers: Sequence[tuple[str, str]],
    rng: random.Random, *, label: str = "correct", images: Sequence[ImageSpec] = (),
) -> Item:  # fmt: skip
    """An item of a reactive or balanced task: the scene, its question, the answers and one unjustified concern."""
    concern = scenario.unjustified_concern(scene, rng)
    return Item.model_construct(
        id=f"{scenario.case.id}/{spec.name}",
        case_id=scenario.case.id,
        task=spec.name,
        group=spec.group,
        gold_behavior=spec.group,
        autonomy=ANSWER_AUTONOMY[spec.group],
        turns=scene.turns,
        query=query,
        options=answer_options(answers, scenario.opener(rng), concern, rng),
        label=label,
        split=scenario.split,
        specialty=scenario.case.specialty,
        images=list(images),
        level=scenario.level,
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
    level: int | None = None
    track: Track | None = None
    images: Sequence[ImageSpec] = ()

    def item(
        self, item_id: str, variant: Variant, turns: list[Turn], label: str, *, twin_id: str | None = None,
        perturbation: Perturbation | None = None, urgent: bool = False,
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
            determinable=True,
            split=self.split,
            specialty=self.specialty,
            images=list(self.images),
            level=self.level,
            track=self.track,
        )


def make_alert(
    spec: TaskSpec, scenario: Scenario, scene: Scene, concerns: Mapping[str, Mapping[str, str]], rng: random.Random, *,
    track: Track, images: Sequence[ImageSpec] = (),
) -> Alert:  # fmt: skip
    """An errand, and replies that run it or raise a concern besides.

    Args:
        scene: the clean one of the pair, about which something is asked.
        concerns: label -> what its claim names.
    """
    errand = scenario.errand(scene, rng)
    wordings = {label: scenario.claims(label, fields, rng) for label, fields in concerns.items()}
    options = alert_options(errand.reply, scenario.opener(rng), wordings, rng)
    case = scenario.case
    return Alert(
        spec, case.id, scenario.split, case.specialty, errand.query, options, scenario.level, track, images
    )  # fmt: skip


def twin_items(alert: Alert, problem: Problem, stem: str) -> Iterator[Item]:
    """The scene with a problem, and without it."""
    yield alert.item(
        f"{stem}/perturbed", "perturbed", problem.perturbed.turns, problem.label, twin_id=f"{stem}/clean",
        perturbation=problem.record(), urgent=problem.family == URGENT,
    )  # fmt: skip
    yield alert.item(f"{stem}/clean", "clean", problem.clean.turns, NO_FLAG, twin_id=f"{stem}/perturbed")
