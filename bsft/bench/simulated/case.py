"""A case simulated from a condition of the bank, opened for the tasks: its scenes, requests and concerns."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bsft.bench.bank.schema import Condition
from bsft.bench.scenario import Errand
from bsft.bench.scene import Scene, Slot
from bsft.bench.simulated import conversation
from bsft.bench.simulated.claims import unjustified_concern
from bsft.bench.simulated.patient import SimulatedPatient
from bsft.bench.simulated.simulate import simulate
from bsft.bench.splits import EDITIONS
from bsft.bench.wordings import OPEN_TEST, Edition, draw

UNPROMPTED_SHARE = 0.25
"""Share of proactive items in which nobody asks the agent anything."""
CLAIM_DRAWS = 6
"""Wordings of a concern that are drawn, of which one of the item's common length is taken."""


@dataclass(frozen=True)
class SimulatedCase(SimulatedPatient):
    """What the tasks know of a simulated patient, and what is said, asked and answered about them."""

    paraphrased: bool = False
    """Whether the same people say the same things in other words."""

    @cached_property
    def _scenes(self) -> dict[frozenset[str], Scene]:
        return {}

    @cached_property
    def _exchanges(self) -> dict[str, tuple[Slot, ...]]:
        return {}

    def scene(self, *required: str) -> Scene:
        """A scene of the case's level that has at least the topics required; all of the higher levels are one."""
        topics = frozenset(required if self.level in conversation.OTHER_TOPICS else ())
        if topics not in self._scenes:
            self._scenes[topics] = conversation.make_scene(self, topics)
        return self._scenes[topics]

    def exchange(self, topic: str) -> tuple[Slot, ...]:
        """The turns about one topic, which are the same in all scenes of the case."""
        if topic not in self._exchanges:
            self._exchanges[topic] = tuple(conversation.make_exchange(self, topic))
        return self._exchanges[topic]

    def undecided_scene(self, *required: str, complaint: str | None = None) -> Scene:
        """The same up to where the team says what it thinks and does; its opening does not tell the condition.

        Args:
            required: topics.
            complaint: the one that it opens with, which the conditions of the options share.
        """
        scene = self.scene(*required).before(*conversation.TAIL)
        return scene.put("intro", complaint=self.plain_complaint(complaint))

    def errand(self, scene: Scene, rng: random.Random) -> Errand:
        prompted = rng.random() >= UNPROMPTED_SHARE
        topics = {slot.topic for slot in scene}
        if self.next_test_is_open(topics):
            topics.add(OPEN_TEST)
        usable = [r for r in self.words.requests if (r.query is not None) == prompted and r.replies(topics)]
        request = rng.choice(usable)
        reply = self.said(draw(request.replies(topics), "all", rng))
        query = None if request.query is None else self.said(draw(request.query, self._of_request(request.query), rng))
        return Errand(query, reply)

    def _of_request(self, templates: Sequence[str]) -> Edition:
        """Short lists of templates hold nothing back."""
        return self.edition if len(templates) > 3 else "all"

    def opener(self, rng: random.Random) -> str:
        return draw(self.words.concerns.openers, self.edition, rng).strip() + " "

    def claims(self, label: str, fields: Mapping[str, str], rng: random.Random) -> list[str]:
        templates = self.words.concerns.labels[label].claim
        texts = (self.said(draw(templates, self.edition, rng), **fields) for _ in range(CLAIM_DRAWS))
        return [text if text.endswith((".", "?")) else f"{text}." for text in texts]

    def handled(self, label: str, fields: Mapping[str, str], rng: random.Random) -> str:
        """Somebody's words that the matter of `label` is known and being dealt with."""
        return self.said(draw(self.words.concerns.labels[label].handled, self.edition, rng), **fields)

    def unjustified_concern(self, scene: Scene, rng: random.Random) -> str:
        label, fields = unjustified_concern(self, scene, rng)
        return self.claims(label, fields, rng)[0]

    def question(self, task: str, rng: random.Random, **fields: str) -> str:
        return self.said(draw(self.words.answers.questions[task], self.edition, rng), **fields)

    def frame(self, task: str, rng: random.Random) -> str:
        frames = self.words.answers.frames[task]
        return rng.choice(frames.held_out if self.edition == "heldout" else frames.trained)


def simulate_case(condition: Condition, *, case_id: str, split: str, seed: int, level: int) -> SimulatedCase:
    """Simulates a case of `condition`, and opens it."""
    case = simulate(condition, case_id, EDITIONS[split], random.Random(f"{seed}/{case_id}/simulate"))
    return SimulatedCase(case, split, seed, level, condition)
