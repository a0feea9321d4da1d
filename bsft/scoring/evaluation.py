"""One evaluation: candidates -> predictions.jsonl and metrics.json."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bsft.data.render import Candidates
from bsft.records.files import write_atomically
from bsft.records.schema import Behavior, Item, TaskSpec
from bsft.scoring.choices import Context, Scored
from bsft.scoring.decision import Alarm, alarm_of, decide, log_odds, matched_threshold, token_contexts, without_prior
from bsft.scoring.flags import Flags
from bsft.scoring.metrics import LabelCounts, Response, evaluate, known, responses_of
from bsft.scoring.result import Arm, BehaviorScores, Evaluated, FlagReport, Matched, NaiveScores, PriorRemoved
from bsft.stats.bootstrap import Bootstrap
from bsft.stats.measures import auroc
from bsft.stats.policies import POLICIES

ARMS = ("predicted", "forced_right", "forced_wrong", "none")
"""How the behaviour is chosen. `forced_right` uses the gold behaviour: an oracle bound, never a result."""


def context_of(arm: str, item: Item, predicted: Behavior | None) -> Context:
    """The behaviour token that an arm puts before the reply."""
    gold = item.gold_behavior
    if arm == "predicted":
        return predicted
    if arm == "forced_right":
        return gold
    if arm == "forced_wrong":
        return "reactive" if gold == "proactive" else "proactive"
    return None


def response_of(scored: Scored, context: Context) -> Response:
    """What the model would say: see `bsft.scoring.decision`."""
    return Response(scored.candidates.item, decide(scored, context).chosen)


def with_evidence(scored: Sequence[Scored]) -> list[Scored]:
    """Items that can be solved: those that were not shortened by the turn that shows their problem."""
    return [s for s in scored if not s.candidates.evidence_lost]


def validation_metrics(scored: Sequence[Scored], tasks: Mapping[str, TaskSpec]) -> dict[str, float]:
    """What is logged during training: macro-F1 overall and by group, over-intervention; of items `with_evidence`."""
    responses = [response_of(s, s.predicted_behavior) for s in with_evidence(scored)]
    result = evaluate(responses, tasks, bootstrap_samples=1)
    values = {"macro_f1": result.overall.macro_f1}
    values |= {group: summary.macro_f1 for group, summary in result.group.items() if summary is not None}
    values["over_intervention_rate"] = result.restraint.over_intervention_rate
    return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Calibration:
    """What decides at matched over-intervention.

    Attributes:
        rate: of over-intervention, that is wanted.
        alarms: of validation items.
        priors: item id -> margin of its request without the scene, of validation and evaluated items; empty: not known.
    """

    rate: float
    alarms: Sequence[Alarm]
    priors: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Collects scored items of one run on one split and turns them into files.

    Attributes:
        arm: the primary arm: `predicted` or `forced` for methods with tokens, `none` for those without, `detected` for
            one whose detector decides.
        forced: the token of arm `forced`.
        train_labels: label counts of the training split, for the naive policies.
        threshold: nats above which the primary arm raises concerns; None: as the model prefers.
    """

    tasks: Mapping[str, TaskSpec]
    arm: str
    forced: Behavior | None
    train_labels: LabelCounts
    bootstrap_samples: int
    threshold: float | None = None

    def contexts(self, candidates: Candidates, predicted: Behavior | None) -> Sequence[Context]:
        """What an item has to be scored under for all arms, the primary one included."""
        if predicted is None or self.arm == "detected":
            return [None]
        arms = [self._context(arm, candidates.item, predicted) for arm in (self.arm, *ARMS)]
        return list(dict.fromkeys([*arms, *self.alarm_contexts(candidates, predicted)]))

    def alarm_contexts(self, candidates: Candidates, predicted: Behavior | None) -> Sequence[Context]:
        """What an item has to be scored under for its alarm."""
        if self.arm == "predicted" and predicted is not None:
            return token_contexts(predicted)
        return [self._context(self.arm, candidates.item, predicted)]

    def alarms(self, scored: Iterable[Scored]) -> list[Alarm]:
        """Of the items that have one."""
        found = (alarm_of(s, self.primary_context(s), by_token=self._by_token) for s in scored)
        return [alarm for alarm in found if alarm is not None]

    def margin(self, scored: Scored) -> float | None:
        """An alarm's margin, for which any context will do if it is read from the token."""
        return log_odds(scored) if self._by_token else decide(scored, self.primary_context(scored)).flag_margin

    @property
    def _by_token(self) -> bool:
        return self.arm in ("predicted", "detected")

    def primary_context(self, scored: Scored) -> Context:
        if self.arm == "predicted" and self.threshold is not None and scored.predicted_behavior is not None:
            return token_contexts(scored.predicted_behavior)[log_odds(scored) <= self.threshold]
        return self._context(self.arm, scored.candidates.item, scored.predicted_behavior)

    def response(self, scored: Scored) -> Response:
        """What the primary arm says."""
        threshold = 0.0 if self.arm == "detected" and self.threshold is None else self.threshold
        if threshold is not None and (alarms := self.alarms([scored])):
            return alarms[0].response(threshold)
        return response_of(scored, self.primary_context(scored))

    def _context(self, arm: str, item: Item, predicted: Behavior | None) -> Context:
        return self.forced if arm == "forced" else context_of(arm, item, predicted)

    def predictions(self, scored: Iterable[Scored], texts: Mapping[str, str]) -> list[dict[str, Any]]:
        """The lines of predictions.jsonl, of the primary arm."""
        return [self._line(s, texts.get(s.candidates.item.id)) for s in scored]

    def _line(self, scored: Scored, text: str | None) -> dict[str, Any]:
        item, context = scored.candidates.item, self.primary_context(scored)
        response = self.response(scored)
        options = zip(item.options, scored.log_likelihoods[context], scored.candidates.option_ids, strict=True)
        return {
            "item_id": item.id,
            "case_id": item.case_id,
            "twin_id": item.twin_id,
            "task": item.task,
            "group": item.group,
            "arm": self.arm,
            "behavior": context,
            "label": item.label,
            "predicted": response.predicted,
            "flagged": response.flagged,
            "gold_behavior": item.gold_behavior,
            "autonomy": item.autonomy,
            "variant": item.variant,
            "evidence_lost": scored.candidates.evidence_lost,
            "behavior_probs": scored.behavior_probs,
            "options": [
                {"label": o.label, "log_likelihood": value, "n_tokens": len(ids), "n_chars": len(o.text)}
                for o, value, ids in options
            ],
            "text": text,
        }

    def metrics(
        self, scored: Sequence[Scored], calibration: Calibration | None = None, restated: Sequence[Alarm] = ()
    ) -> Evaluated:
        """What the items give; those that lost their evidence when they were shortened are counted and left out.

        Args:
            restated: alarms of items that restate some of the scored ones.
        """
        kept = with_evidence(scored)
        responses = [self.response(s) for s in kept]
        result = evaluate(responses, self.tasks, bootstrap_samples=self.bootstrap_samples)
        items = [s.candidates.item for s in kept]
        return Evaluated(
            n=len(kept),
            n_shortened=sum(bool(s.candidates.dropped_turns) for s in scored),
            n_evidence_lost=len(scored) - len(kept),
            **dict(result),
            flags=self._flags(kept, responses, calibration, restated),
            naive={name: self._naive(items, name) for name in POLICIES},
            behavior=self._behavior(kept),
        )

    def _naive(self, items: Sequence[Item], name: str) -> NaiveScores:
        responses = responses_of(POLICIES[name], items, self.train_labels)
        result = evaluate(responses, self.tasks, bootstrap_samples=self.bootstrap_samples)
        return NaiveScores(**dict(result) | {"task": {task: entry.score for task, entry in result.task.items()}})

    def _flags(
        self,
        scored: Sequence[Scored],
        responses: Sequence[Response],
        calibration: Calibration | None,
        restated: Sequence[Alarm],
    ) -> FlagReport:
        alarms = self.alarms(scored)
        flags = Flags(responses, {a.item.id: a.margin for a in alarms}, Bootstrap(self.bootstrap_samples))
        decisions = (decide(s, self.primary_context(s)) for s in scored)
        spreads = [d.spread for d in decisions if d.spread is not None]
        return FlagReport(
            overall=flags.scores(),
            task=flags.by_task(),
            kind=flags.by_kind(),
            over_intervention_by_variant=flags.over_intervention_by_variant(),
            within_item_spread_nats=float(np.median(spreads)) if spreads else None,
            noise_floor=flags.noise_floor(restated),
            threshold_nats=self.threshold,
            matched=self._matched(responses, alarms, calibration, calibration.alarms) if calibration else None,
            prior_removed=self._prior_removed(responses, alarms, calibration) if calibration else None,
        )

    def _matched(
        self,
        responses: Sequence[Response],
        alarms: Sequence[Alarm],
        calibration: Calibration,
        validation: Sequence[Alarm],
    ) -> Matched | None:
        """The same items when concerns are raised above the threshold that `validation` gives."""
        threshold = matched_threshold(validation, calibration.rate)
        if threshold is None:
            return None
        moved = {a.item.id: a.response(threshold) for a in alarms}
        said = [moved.get(r.item.id, r) for r in responses]
        flags = Flags(said, {}, Bootstrap(1)).scores()
        return Matched(
            target=calibration.rate,
            threshold_nats=threshold,
            n_calm=sum(a.item.gold_behavior != "proactive" for a in validation),
            **dict(self._as_arm(said)),
            missed_intervention_rate=flags.missed_intervention_rate,
            pair_accuracy=flags.pair_accuracy,
        )

    def _prior_removed(
        self, responses: Sequence[Response], alarms: Sequence[Alarm], calibration: Calibration
    ) -> PriorRemoved | None:
        if not calibration.priors:
            return None
        own, validation = (without_prior(found, calibration.priors) for found in (alarms, calibration.alarms))
        margins = {a.item.id: a.margin for a in own}
        return PriorRemoved(
            auc=Flags(responses, margins, Bootstrap(1)).scores().auc,
            matched=self._matched(responses, own, calibration, validation),
        )

    def _behavior(self, scored: Sequence[Scored]) -> BehaviorScores | None:
        if any(s.behavior_probs is None for s in scored):
            return None
        gold = [s.candidates.item.gold_behavior for s in scored]
        probs = [s.behavior_probs or {} for s in scored]
        arms = {}
        for arm in ARMS if self.arm != "detected" else ():
            contexts = [context_of(arm, s.candidates.item, s.predicted_behavior) for s in scored]
            arms[arm] = self._as_arm([*map(response_of, scored, contexts)])
        right = [s.predicted_behavior == g for s, g in zip(scored, gold, strict=True)]
        proactive_probs, needed = [p["proactive"] for p in probs], [g == "proactive" for g in gold]
        return BehaviorScores(
            token_accuracy=float(np.mean(right)),
            auroc_proactive=known(auroc(np.array(proactive_probs), np.array(needed))),
            arms=arms,
        )

    def _as_arm(self, responses: Sequence[Response]) -> Arm:
        result = evaluate(responses, self.tasks, bootstrap_samples=1)
        proactive = result.group["proactive"]
        return Arm(
            macro_f1=result.overall.macro_f1,
            proactive=proactive.macro_f1 if proactive else None,
            over_intervention_rate=result.restraint.over_intervention_rate,
        )


def write_predictions(file: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    write_atomically(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
