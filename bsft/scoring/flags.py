"""Whether concerns are raised where they are due: overall, by task and by kind of problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bsft.scoring.decision import Alarm
from bsft.scoring.metrics import Response, indices, pairs_of
from bsft.scoring.result import FlagScores, Interval, NoiseFloor
from bsft.stats.bootstrap import Bootstrap, Estimate
from bsft.stats.measures import Floats, macro_f1


@dataclass(frozen=True)
class Flags:
    """Responses to items, and the alarms' margins of those that have one.

    `margins` maps item id -> nats.
    """

    responses: Sequence[Response]
    margins: Mapping[str, float]
    bootstrap: Bootstrap

    def scores(self) -> FlagScores:
        pairs = pairs_of(self.responses)
        read = [(a, b) for a, b in pairs if {a.item.id, b.item.id} <= self.margins.keys()]
        margins = self._margins([a for a, _ in read]), self._margins([b for _, b in read])
        paired = self.bootstrap.paired_auc(*margins, [a.item.case_id for a, _ in read]) if read else None
        needed = np.array([r.item.gold_behavior == "proactive" for r in self.responses], bool)
        flagged = np.array([r.flagged for r in self.responses], bool)
        right = np.array([(a.correct, b.correct) for a, b in pairs], bool).reshape(-1, 2)
        gold, predicted, n_labels = indices(self.responses, sorted({r.item.label for r in self.responses}))
        auc = self._area()
        return FlagScores(
            n=len(self.responses),
            n_pairs=len(pairs),
            auc=auc.value if auc else None,
            auc_ci95=_interval(auc),
            paired_auc=paired.value if paired else None,
            paired_auc_ci95=_interval(paired),
            macro_f1=macro_f1(gold, predicted, n_labels) if n_labels > 1 else None,
            over_intervention_rate=float(flagged[~needed].mean()) if not needed.all() else None,
            missed_intervention_rate=float(1 - flagged[needed].mean()) if needed.any() else None,
            pair_accuracy=float(right.all(1).mean()) if pairs else None,
            twin_effect_nats=float(np.median(np.abs(np.subtract(*margins)))) if read else None,
            pair_accuracy_by_chance=float(right.mean(0).prod()) if pairs else None,
        )

    def by_task(self) -> dict[str, FlagScores]:
        """Of the tasks in which concerns are due."""
        tasks = dict.fromkeys(r.item.task for r in self.responses if r.item.gold_behavior == "proactive")
        return {task: self._of(r for r in self.responses if r.item.task == task).scores() for task in tasks}

    def by_kind(self) -> dict[str, FlagScores]:
        """Of problems and their twins, by `family/type`."""
        found: dict[str, list[Response]] = {}
        for problem, twin in pairs_of(self.responses):
            assert problem.item.perturbation is not None
            found.setdefault(problem.item.perturbation.kind, []).extend((problem, twin))
        return {kind: self._of(own).scores() for kind, own in sorted(found.items())}

    def noise_floor(self, restated: Iterable[Alarm]) -> dict[str, NoiseFloor]:
        """How far the margins of restated items are from those of the items that they restate, by variant."""
        moved: dict[str, list[float]] = {}
        for alarm in restated:
            original = alarm.item.original_id
            if original is not None and original in self.margins:
                moved.setdefault(alarm.item.variant, []).append(abs(alarm.margin - self.margins[original]))
        return {v: NoiseFloor(n=len(own), median_nats=float(np.median(own))) for v, own in sorted(moved.items())}

    def over_intervention_by_variant(self) -> dict[str, float]:
        """Share that got a concern of the items that need none: plain ones, clean twins, controls that are handled."""
        quiet = [r for r in self.responses if r.item.gold_behavior != "proactive"]
        variants = sorted({r.item.variant for r in quiet})
        return {v: float(np.mean([r.flagged for r in quiet if r.item.variant == v])) for v in variants}

    def _of(self, responses: Iterable[Response]) -> Flags:
        return Flags(list(responses), self.margins, self.bootstrap)

    def _area(self) -> Estimate | None:
        known = [r for r in self.responses if r.item.id in self.margins]
        needed = np.array([r.item.gold_behavior == "proactive" for r in known], bool)
        if needed.all() or not needed.any():
            return None
        return self.bootstrap.auroc(self._margins(known), needed, [r.item.case_id for r in known])

    def _margins(self, responses: Sequence[Response]) -> Floats:
        return np.array([self.margins[r.item.id] for r in responses], np.float64)


def _interval(estimate: Estimate | None) -> Interval | None:
    return (estimate.low, estimate.high) if estimate else None
