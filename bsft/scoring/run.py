"""Scores one run on its evaluation split and writes `metrics.json` and `predictions.jsonl`."""

import logging
import resource
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

from bsft import config as cfg
from bsft.data.render import Candidates
from bsft.data.selection import select_items
from bsft.display.progress import progress_bar
from bsft.records.errors import BadInput
from bsft.records.files import write_json
from bsft.records.schema import Behavior, Item, noise_split
from bsft.records.store import Head
from bsft.runs.directory import METRICS, PREDICTIONS, SCORES
from bsft.runs.job import Job
from bsft.scoring.choices import Contexts, OptionScorer, Scored
from bsft.scoring.decision import Alarm, best_threshold
from bsft.scoring.evaluation import Calibration, Evaluation, with_evidence, write_predictions
from bsft.scoring.generate import Generated, generate, generation_metrics
from bsft.scoring.metrics import label_counts
from bsft.scoring.result import Cost, Result

log = logging.getLogger(__name__)
_ARM_OF_MODE = {"predict": "predicted", "force": "forced", "none": "none"}


def score(job: Job, *, fit_s: float = 0.0) -> Result:
    """Scores a job and writes `metrics.json` and `predictions.jsonl` into its directory; see `measure`."""
    result, lines = measure(job, fit_s=fit_s)
    own, data = job.directory, job.config.data
    for target in (own.path,) if own.owner else (own.path / SCORES / f"{data.name}-{data.eval_split}", own.path):
        write_predictions(target / PREDICTIONS, lines)
        write_json(target / METRICS, result.to_dict())
    log.info("macro-F1 %.3f over %d items", result.overall.macro_f1, result.n)
    return result


def measure(job: Job, *, fit_s: float = 0.0) -> tuple[Result, list[dict[str, Any]]]:
    """Scores the evaluation split by likelihood, then (if asked) by generation.

    Args:
        job: its backbone is in eval mode and on its device.
        fit_s: seconds that fitting took, for the cost.

    Returns:
        What metrics.json holds, and the lines of predictions.jsonl.

    Raises:
        BadInput: the split has no item that could be scored.
    """
    config, data, recipe = job.config, job.config.data, job.config.trainer.score
    behavior = config.method.behavior if isinstance(config.method, cfg.BehaviorSftConfig) else None
    train: Iterable[Head] = ()
    if data.train_split in job.benchmark.splits:
        train = select_items(job.benchmark, data.train_split, data, data.max_train_items).heads()
    evaluation = Evaluation(
        tasks=job.benchmark.tasks,
        arm=_ARM_OF_MODE[behavior.mode] if behavior else "detected" if job.backbone.detector else "none",
        forced=cast(Behavior | None, behavior.token) if behavior is not None else None,
        train_labels=label_counts(train),
        bootstrap_samples=recipe.bootstrap_samples,
    )
    start = time.monotonic()
    candidates = job.data.candidates(data.eval_split, data.max_eval_items)
    if all(c.evidence_lost for c in candidates):
        raise BadInput(
            f"data.eval_split={data.eval_split}: all {len(candidates)} items lost their evidence when they "
            f"were shortened; raise data.scene_tokens (now {data.scene_tokens})"
        )
    scored = _likelihoods(job, candidates, evaluation.contexts)
    calibration = _calibration(job, evaluation, scored)
    if config.method.threshold == "validation":
        evaluation = replace(evaluation, threshold=_best_threshold(config, calibration))
    restated = _restated(job, evaluation, scored)
    score_s = time.monotonic() - start
    generated_for = with_evidence(scored)[: recipe.generate_items]
    replies = _replies(job, evaluation, generated_for)
    chosen = [evaluation.response(s).chosen for s in generated_for]
    result = Result(
        schema=1,
        method=config.method.name,
        model=config.model.name,
        data=data.name,
        split=data.eval_split,
        seed=config.seed,
        **dict(evaluation.metrics(scored, calibration, restated)),
        generation=generation_metrics(replies, chosen),
        cost=Cost(
            fit_s=round(fit_s, 1),
            score_s=round(score_s, 1),
            # of all prompts and options, each prompt once per item
            tokens=sum(len(c.prompt_ids) + sum(map(len, c.option_ids)) for c in candidates),
            peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        ),
    )
    return result, evaluation.predictions(scored, {reply.item.id: reply.text for reply in replies})


def _calibration(job: Job, evaluation: Evaluation, scored: Sequence[Scored]) -> Calibration | None:
    """Scores validation items for the threshold of matched over-intervention, and requests without their scenes."""
    data, recipe = job.config.data, job.config.trainer.score
    if not recipe.matched_items or data.val_split not in job.benchmark.splits or data.val_split == data.eval_split:
        return None
    candidates = job.data.candidates(data.val_split, recipe.matched_items)
    alarms = evaluation.alarms(with_evidence(_likelihoods(job, candidates, evaluation.alarm_contexts, "threshold of ")))
    priors: dict[str, float] = {}
    if recipe.prior:
        items = [s.candidates.item for s in scored] + [a.item for a in alarms]
        priors = _priors(job, evaluation, items)
    return Calibration(recipe.matched_over_intervention, alarms, priors)


def _best_threshold(config: cfg.Config, calibration: Calibration | None) -> float:
    found = best_threshold(calibration.alarms) if calibration is not None else None
    if found is None:
        raise BadInput(
            f"method.threshold=validation: data.val_split={config.data.val_split} gives none; it must have items that "
            "need a concern and items that do not"
        )
    return found


def _restated(job: Job, evaluation: Evaluation, scored: Sequence[Scored]) -> list[Alarm]:
    """Alarms of the items that restate scored ones, where the benchmark has such items."""
    split = noise_split(job.config.data.eval_split)
    if not job.config.trainer.score.noise_floor or split not in job.benchmark.splits:
        return []
    originals = {s.candidates.item.id for s in scored}
    items = [item for item in job.benchmark.items(split) if item.original_id in originals]
    candidates = [job.renderer.candidates(item) for item in items]
    return evaluation.alarms(with_evidence(_likelihoods(job, candidates, evaluation.alarm_contexts, "noise floor of ")))


def _priors(job: Job, evaluation: Evaluation, items: Sequence[Item]) -> dict[str, float]:
    """Item id -> margin without the scene; requests that several items share are scored once."""
    groups: dict[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]], list[str]] = {}
    alone: list[Candidates] = []
    for candidate in job.data.without_scenes(items):
        same = groups.setdefault((candidate.prompt_ids, candidate.option_ids), [])
        if not same:
            alone.append(candidate)
        same.append(candidate.item.id)
    scored = _likelihoods(job, alone, evaluation.alarm_contexts, "prior of ")
    margins = {(s.candidates.prompt_ids, s.candidates.option_ids): evaluation.margin(s) for s in scored}
    return {i: margin for key, ids in groups.items() if (margin := margins[key]) is not None for i in ids}


def _likelihoods(
    job: Job, candidates: Sequence[Candidates], contexts: Contexts, what: str = "scoring "
) -> list[Scored]:
    scorer = OptionScorer(
        job.backbone,
        batching=job.data.batching,
        batch_tokens=job.config.trainer.score.batch_tokens,
        shared_prefix=job.renderer.shared_prefix(),
    )
    with progress_bar(f"{what}{job.name}", len(candidates)) as advance:
        return scorer.score(candidates, contexts, advance)


def _replies(job: Job, evaluation: Evaluation, wanted: Sequence[Scored]) -> list[Generated]:
    if not wanted:
        return []
    with progress_bar(f"generating {job.name}", len(wanted)) as advance:
        return generate(
            job.backbone,
            [s.candidates for s in wanted],
            [evaluation.primary_context(s) for s in wanted],
            max_new_tokens=job.config.trainer.score.max_new_tokens,
            end_of_turn=job.renderer.end_of_turn,
            on_progress=advance,
        )
