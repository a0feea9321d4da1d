"""Scoring against lm-evaluation-harness: options a second, with and without few-shot exemplars.

Both sides get the same token ids and return the log-likelihood of every option, in turn, each in a process of its own.
First, the log-likelihoods are compared in float32, and it is measured how far the timed dtype takes each side from
there; then the rival's batch size is searched; then both are timed.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

from benchmarks import _common as common
from benchmarks._bsft_side import ScoreTask, run_score
from benchmarks._lm_eval_side import LmEvalTask, run_lm_eval
from benchmarks._shapes import SCORE_SHAPES, score_candidates
from benchmarks._sides import Side, alternate
from bsft import config as cfg
from bsft.data.prefix_tree import build_tree
from bsft.data.render import Candidates

TOLERANCE = 1e-4
MAX_ROUNDING_RATIO = 2
_SEARCHED_BATCH_SIZES = (1, 2, 4, 8)
_SEARCH_TOKENS = 8000


def main() -> None:
    parser = common.parser(__doc__, repetitions=3)
    parser.add_argument("--shape", default="zero_shot", choices=tuple(SCORE_SHAPES))
    parser.add_argument("--batch-size", type=int, help="the rival's batch size, instead of a search")
    parser.add_argument("--rival-items", type=int, help="items that one of the rival's timed passes holds")
    parser.add_argument("--check-tokens", type=int, default=24_000, help="compare on so many tokens of prompts")
    parser.add_argument("--only-check", action="store_true", help="compare log-likelihoods and stop")
    parser.add_argument("--no-check", action="store_true", help="time only; for a commit that was checked before")
    parser.add_argument("--override", nargs="*", default=[], help="overrides of our job's config")
    arguments = parser.parse_args()
    prefix, candidates = score_candidates(SCORE_SHAPES[arguments.shape])
    equality = None if arguments.no_check else check(arguments, prefix, candidates)
    if arguments.only_check:
        return
    figures: dict[str, Any] = {
        "benchmark": "score",
        "shape": arguments.shape,
        "model": arguments.model,
        "dtype": arguments.dtype,
        "environment": common.environment(arguments.device),
        "equality": equality,
    }
    batch_size, figures["search"] = search(arguments, candidates)
    figures |= measure(arguments, prefix, candidates, batch_size)
    report(figures)
    common.write(arguments, figures, common.of_sides(figures["sides"]) | {"ratio": figures["ratio"]})


def _config(arguments: argparse.Namespace, dtype: str) -> cfg.Config:
    return common.job(arguments.model, arguments.device, dtype, "method=baseline", *arguments.override)


def _rival(arguments: argparse.Namespace, dtype: str, candidates: list[Candidates], batch_size: int) -> LmEvalTask:
    weights = common.weights_of(_config(arguments, dtype).model)
    return LmEvalTask(weights, arguments.device, dtype, candidates, batch_size)


def _n_options(candidates: list[Candidates]) -> int:
    return sum(len(candidate.option_ids) for candidate in candidates)


def _within(candidates: list[Candidates], n_tokens: int) -> list[Candidates]:
    """The first items whose prompts, read once for each option, have about so many tokens together; at least one."""
    per_item = max(len(c.prompt_ids) * len(c.option_ids) for c in candidates)
    return candidates[: max(1, n_tokens // per_item)]


def check(arguments: argparse.Namespace, prefix: tuple[int, ...], candidates: list[Candidates]) -> dict[str, Any]:
    """Compares log-likelihoods and the most likely options on the first items: in float32 the sides with each other, in
    the timed dtype each with itself in float32 (root of the mean squared difference).

    Raises:
        SystemExit: in float32 they differ by more than `TOLERANCE`, or in an item's most likely option; or rounding
            takes ours `MAX_ROUNDING_RATIO` times as far as the rival's.
    """
    chosen = _within(candidates, arguments.check_tokens)
    ours, theirs = _both_passes(arguments, prefix, chosen, "float32")
    largest = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    differing = sum(a != b for a, b in zip(_best_options(chosen, ours), _best_options(chosen, theirs), strict=True))
    figures: dict[str, Any] = {
        "n_options": len(ours),
        "largest_difference": largest,
        "items_with_other_argmax": differing,
    }
    rows = [(f"float32, {name}", value) for name, value in figures.items()]
    if arguments.dtype != "float32":
        our_rounded, their_rounded = _both_passes(arguments, prefix, chosen, arguments.dtype)
        rounding = {"bsft": math.dist(our_rounded, ours), "lm-evaluation-harness": math.dist(their_rounded, theirs)}
        figures["rounding_rms"] = {name: distance / len(ours) ** 0.5 for name, distance in rounding.items()}
        rows += [(f"{arguments.dtype} against float32, {n}", rms) for n, rms in figures["rounding_rms"].items()]
    common.show(f"Equality, {len(ours)} options", ["", "value"], rows)
    if largest > TOLERANCE or differing:
        raise SystemExit(f"the two sides do not compute the same: a difference above {TOLERANCE}, or another argmax")
    if arguments.dtype != "float32" and rounding["bsft"] > MAX_ROUNDING_RATIO * rounding["lm-evaluation-harness"]:
        raise SystemExit(f"in {arguments.dtype} our log-likelihoods are less exact than the rival's")
    return figures


def _both_passes(
    arguments: argparse.Namespace, prefix: tuple[int, ...], candidates: list[Candidates], dtype: str
) -> tuple[list[float], list[float]]:
    """Log-likelihoods of all options: ours and the rival's."""
    with Side("bsft", run_score, arguments.device) as side:
        side.start(ScoreTask(_config(arguments, dtype), candidates, prefix))
        ours = side.step().values
    with Side("lm-evaluation-harness", run_lm_eval, arguments.device) as side:
        side.start(_rival(arguments, dtype, candidates, 1))
        return ours, side.step().values


def _best_options(candidates: list[Candidates], values: list[float]) -> list[int]:
    best, start = [], 0
    for candidate in candidates:
        own = values[start : start + len(candidate.option_ids)]
        best.append(own.index(max(own)))
        start += len(own)
    return best


def search(arguments: argparse.Namespace, candidates: list[Candidates]) -> tuple[int, list[dict[str, float]]]:
    """The rival's fastest batch size; one pass of each over some items, after an untimed one."""
    if arguments.batch_size is not None:
        return arguments.batch_size, []
    chosen = _within(candidates, _SEARCH_TOKENS)
    tried: list[dict[str, float]] = []
    with Side("lm-evaluation-harness", run_lm_eval, arguments.device) as side:
        for batch_size in _SEARCHED_BATCH_SIZES:
            if batch_size > _n_options(chosen):
                break
            side.start(_rival(arguments, arguments.dtype, chosen, batch_size))
            if not tried:
                side.step()
            speed = _n_options(chosen) / side.step().seconds
            side.finish()
            tried.append({"batch_size": batch_size, "options_per_s": speed})
            common.progress(f"lm-evaluation-harness, batch {batch_size}: {speed:.3g} options/s")
    return int(max(tried, key=lambda t: t["options_per_s"])["batch_size"]), tried


def measure(
    arguments: argparse.Namespace, prefix: tuple[int, ...], candidates: list[Candidates], batch_size: int
) -> dict[str, Any]:
    """Times both sides in turn."""
    rival = candidates[: arguments.rival_items or {"few_shot": 4}.get(arguments.shape, len(candidates))]
    ours = Side("bsft", run_score, arguments.device)
    theirs = Side("lm-evaluation-harness", run_lm_eval, arguments.device)
    with ours, theirs:
        ours.start(ScoreTask(_config(arguments, arguments.dtype), candidates, prefix))
        theirs.start(_rival(arguments, arguments.dtype, rival, batch_size))
        reports = alternate([ours, theirs], arguments.repetitions, common.progress)
    n_options = {ours.name: _n_options(candidates), theirs.name: _n_options(rival)}
    sequences = [c.prompt_ids + option[:-1] for c in candidates for option in c.option_ids]
    tree = build_tree(sequences)
    sides = []
    for name, taken in reports.items():
        seconds = [r.seconds for r in taken]
        sides.append(
            {
                "side": name,
                "options_per_pass": n_options[name],
                "seconds": seconds,
                "options_per_s": n_options[name] / common.median(seconds),
                "peak_bytes": max(r.peak_bytes for r in taken),
            }
        )
    return {
        "batch_size": batch_size,
        "tokens": {"summed": sum(map(len, tree.paths)), "distinct": tree.n_tokens},
        "sides": sides,
    }


def report(figures: dict[str, Any]) -> None:
    """Prints the table, and puts the ratio into `figures`."""
    ours, theirs = figures["sides"]
    tokens = figures["tokens"]
    figures["ratio"] = ours["options_per_s"] / theirs["options_per_s"]
    common.show(
        f"Scoring, shape {figures['shape']}: {ours['options_per_pass']} options, {tokens['summed']} tokens, "
        f"{tokens['distinct']} distinct; {figures['model']}, {figures['dtype']}",
        ["", "options/s", "s per pass", "options per pass", "peak MiB"],
        [
            (
                side["side"],
                side["options_per_s"],
                common.median(side["seconds"]),
                side["options_per_pass"],
                side["peak_bytes"] / 2**20,
            )
            for side in figures["sides"]
        ],
    )
    common.console.print(
        f"bsft is faster by {figures['ratio']:.1f} x; summed / distinct tokens "
        f"{tokens['summed'] / tokens['distinct']:.1f}; lm-evaluation-harness at batch size {figures['batch_size']}"
    )


if __name__ == "__main__":
    main()
