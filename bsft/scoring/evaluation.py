"""One evaluation: candidates -> predictions.jsonl and metrics.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bsft.data.render import Candidates
from bsft.records.files import write_atomically
from bsft.records.schema import Behavior, Item, TaskSpec
from bsft.scoring.choices import Context, Scored
from bsft.scoring.decision import decide
from bsft.scoring.metrics import Response, evaluate, known
from bsft.scoring.policies import LabelCounts, responses_of
from bsft.scoring.result import Arm, BehaviorScores, Evaluated, NaiveScores, RestraintOfRun
from bsft.stats.measures import auroc, wins_over_twin
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


class Evaluation:
    """Collects scored items of one run on one split and turns them into files."""

    def __init__(
        self,
        tasks: Mapping[str, TaskSpec],
        *,
        arm: str,
        forced: Behavior | None,
        train_labels: LabelCounts,
        bootstrap_samples: int,
    ) -> None:
        """
        Args:
            arm: the primary arm: `predicted` or `forced` for methods with tokens, `none` for those without.
            forced: the token of arm `forced`.
            train_labels: label counts of the training split, for the naive policies.
        """
        self._tasks = tasks
        self._arm = arm
        self._forced = forced
        self._train_labels = train_labels
        self._bootstrap_samples = bootstrap_samples

    def contexts(self, candidates: Candidates, predicted: Behavior | None) -> Sequence[Context]:
        """What an item has to be scored under for all arms, the primary one included."""
        if predicted is None:
            return [None]
        return list(dict.fromkeys(self._context(arm, candidates.item, predicted) for arm in (self._arm, *ARMS)))

    def primary_context(self, scored: Scored) -> Context:
        return self._context(self._arm, scored.candidates.item, scored.predicted_behavior)

    def _context(self, arm: str, item: Item, predicted: Behavior | None) -> Context:
        return self._forced if arm == "forced" else context_of(arm, item, predicted)

    def predictions(self, scored: Iterable[Scored], texts: Mapping[str, str]) -> list[dict[str, Any]]:
        """The lines of predictions.jsonl, of the primary arm."""
        return [self._line(s, texts.get(s.candidates.item.id)) for s in scored]

    def _line(self, scored: Scored, text: str | None) -> dict[str, Any]:
        item, context = scored.candidates.item, self.primary_context(scored)
        response = response_of(scored, context)
        options = zip(item.options, scored.log_likelihoods[context], scored.candidates.option_ids, strict=True)
        return {
            "item_id": item.id,
            "case_id": item.case_id,
            "twin_id": item.twin_id,
            "task": item.task,
            "group": item.group,
            "arm": self._arm,
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

    def metrics(self, scored: Sequence[Scored]) -> Evaluated:
        """What the items give; those that lost their evidence when they were shortened are counted and left out."""
        kept = with_evidence(scored)
        responses = [response_of(s, self.primary_context(s)) for s in kept]
        result = evaluate(responses, self._tasks, bootstrap_samples=self._bootstrap_samples)
        items = [s.candidates.item for s in kept]
        auroc_flag, paired_auc_flag = self._flag_areas(kept)
        return Evaluated(
            n=len(kept),
            n_shortened=sum(bool(s.candidates.dropped_turns) for s in scored),
            n_evidence_lost=len(scored) - len(kept),
            overall=result.overall,
            group=result.group,
            task=result.task,
            restraint=RestraintOfRun(**dict(result.restraint), auroc_flag=auroc_flag, paired_auc_flag=paired_auc_flag),
            naive={name: self._naive(items, name) for name in POLICIES},
            behavior=self._behavior(kept),
        )

    def _naive(self, items: Sequence[Item], name: str) -> NaiveScores:
        responses = responses_of(POLICIES[name], items, self._train_labels)
        result = evaluate(responses, self._tasks, bootstrap_samples=self._bootstrap_samples)
        return NaiveScores(
            overall=result.overall,
            group=result.group,
            task={task: entry.score for task, entry in result.task.items()},
            restraint=result.restraint,
        )

    def _flag_areas(self, scored: Sequence[Scored]) -> tuple[float | None, float | None]:
        """Threshold-free: how well the flag margin tells items that need a concern from all others, and how often the
        problem's margin is above its own twin's."""
        margins: dict[str, float] = {}
        for s in scored:
            margin = decide(s, self.primary_context(s)).flag_margin
            if margin is not None:
                margins[s.candidates.item.id] = margin
        items = [s.candidates.item for s in scored if s.candidates.item.id in margins]
        needed = np.array([item.gold_behavior == "proactive" for item in items], bool)
        area = known(auroc(np.array([margins[item.id] for item in items]), needed))
        pairs = [
            (margins[i.id], margins[i.twin_id]) for i in items if i.variant == "perturbed" and i.twin_id in margins
        ]
        problems, twins = np.array(pairs).reshape(-1, 2).T
        return area, float(wins_over_twin(problems, twins).mean()) if pairs else None

    def _behavior(self, scored: Sequence[Scored]) -> BehaviorScores | None:
        if any(s.behavior_probs is None for s in scored):
            return None
        gold = [s.candidates.item.gold_behavior for s in scored]
        probs = [s.behavior_probs or {} for s in scored]
        arms = {}
        for arm in ARMS:
            responses = [response_of(s, context_of(arm, s.candidates.item, s.predicted_behavior)) for s in scored]
            result = evaluate(responses, self._tasks, bootstrap_samples=1)
            proactive = result.group["proactive"]
            arms[arm] = Arm(
                macro_f1=result.overall.macro_f1,
                proactive=proactive.macro_f1 if proactive else None,
                over_intervention_rate=result.restraint.over_intervention_rate,
            )
        right = [s.predicted_behavior == g for s, g in zip(scored, gold, strict=True)]
        proactive_probs, needed = [p["proactive"] for p in probs], [g == "proactive" for g in gold]
        return BehaviorScores(
            token_accuracy=float(np.mean(right)),
            auroc_proactive=known(auroc(np.array(proactive_probs), np.array(needed))),
            arms=arms,
        )


def write_predictions(file: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    write_atomically(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
