"""Training against TRL's `SFTTrainer`: examples a second, peak memory, and the share of the machine's peak.

Both sides take real optimisation steps on the same examples, with the same frozen weights and the same adapters, in
turn, each in a process of its own. First, the loss and the gradients of all adapters are compared in float32, and it is
measured how far the timed dtype takes each side from there; then TRL's settings are searched (coordinate by coordinate:
`_trl_settings.py`); then both are timed, in turn with the matrix products that the share of peak refers to.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks import _common as common
from benchmarks._bsft_side import FitTask, run_fit
from benchmarks._flops import necessary_flops
from benchmarks._gemm_side import GemmTask, peak_flops, run_gemm
from benchmarks._shapes import OPEN_CASES, TRAIN_SHAPES, open_examples, token_counts, train_examples
from benchmarks._sides import Report, Run, Side, alternate
from benchmarks._trl_settings import TrlSettings, rounds
from benchmarks._trl_side import TrlTask, run_trl
from bsft import config as cfg
from bsft.data.render import Example

TOLERANCE = 1e-5
MAX_ROUNDING_RATIO = 1.5
BEST, DEFAULTS = "best", "defaults"
_DEFAULT_BATCH = 8
_BEST_SIDE, _GEMM = "TRL, best settings", "GEMM"
_RIVAL_EXAMPLES = {"thirteen": 4, "paper": 1, "open": 4}


@dataclass(frozen=True)
class Workload:
    """What both sides train on: all examples, and how many of them TRL's steps hold.

    TRL reads every token of every example, so where a whole step would take minutes it is timed on fewer examples, and
    both sides are compared by the tokens that they get through in a second.
    """

    shape: str
    examples: list[Example]
    n_rival: int

    def first_within(self, n_tokens: int) -> list[Example]:
        """The first examples that have at most so many tokens together."""
        kept: list[Example] = []
        for example in self.examples:
            if kept and sum(len(e.ids) for e in kept) + len(example.ids) > n_tokens:
                break
            kept.append(example)
        return kept


def main() -> None:
    parser = common.parser(__doc__, repetitions=3)
    parser.add_argument("--shape", default="thirteen", choices=(*TRAIN_SHAPES, "open"))
    parser.add_argument("--trl", help="TRL's settings as JSON instead of a search, e.g. what an earlier run printed")
    parser.add_argument("--rival-examples", type=int, help="examples that one of TRL's steps holds")
    parser.add_argument(
        "--rivals",
        nargs="*",
        choices=(BEST, DEFAULTS),
        help="whom to time besides us (default: best; on thirteen both)",
    )
    parser.add_argument("--override", nargs="*", default=[], help="overrides of our job's config")
    parser.add_argument(
        "--check-tokens", type=int, default=4200, help="compare gradients on so many tokens of examples"
    )
    parser.add_argument("--only-check", action="store_true", help="compare gradients and stop")
    parser.add_argument("--only-search", action="store_true", help="search TRL's settings and stop")
    parser.add_argument("--no-check", action="store_true", help="time only; for a commit that was checked before")
    arguments = parser.parse_args()
    config = _config(arguments, arguments.dtype)
    workload = _workload(arguments, config)
    equality = None if arguments.no_check else check(arguments, workload)
    if arguments.only_check:
        return
    figures: dict[str, Any] = {
        "benchmark": "train",
        "shape": arguments.shape,
        "model": arguments.model,
        "dtype": arguments.dtype,
        "environment": common.environment(arguments.device),
        "equality": equality,
    }
    best, figures["search"] = search(arguments, config, workload)
    if arguments.only_search:
        common.console.print(json.dumps(asdict(best)), soft_wrap=True)
        return
    figures |= measure(arguments, config, workload, best)
    report(figures)
    baseline = common.of_sides(figures["sides"]) | {"share of peak": figures["peak_share"]}
    for rival in figures["sides"][1:]:
        baseline |= {f"{rival['side']}, ratio": rival["ratio"], f"{rival['side']}, memory ratio": rival["memory_ratio"]}
    common.write(arguments, figures, baseline)


def _config(arguments: argparse.Namespace, dtype: str, *overrides: str) -> cfg.Config:
    data = ["method=general_sft", f"data.n_cases={OPEN_CASES}"]
    return common.job(arguments.model, arguments.device, dtype, *data, *arguments.override, *overrides)


def _workload(arguments: argparse.Namespace, config: cfg.Config) -> Workload:
    shape = arguments.shape
    examples = open_examples(config) if shape == "open" else train_examples(TRAIN_SHAPES[shape])
    return Workload(shape, examples, arguments.rival_examples or _RIVAL_EXAMPLES[shape])


def _trl_task(
    arguments: argparse.Namespace, config: cfg.Config, examples: list[Example], settings: TrlSettings | None
) -> TrlTask:
    assert isinstance(config.method, cfg.SftConfig)
    return TrlTask(common.weights_of(config.model), arguments.device, config.method.lora, examples, settings)


# --- equality ---


def check(arguments: argparse.Namespace, workload: Workload) -> dict[str, Any]:
    """Compares loss and gradients of one step on the first examples: in float32 the sides with each other, in the timed
    dtype each with itself in float32.

    Raises:
        SystemExit: in float32 they differ by more than `TOLERANCE`, or rounding takes ours `MAX_ROUNDING_RATIO` times
            as far as TRL's.
    """
    examples = workload.first_within(arguments.check_tokens)
    exact = TrlSettings(weights_dtype="float32", bf16=False)
    (our_loss, ours), (their_loss, theirs) = _both_steps(arguments, examples, "float32", exact)
    errors: dict[str, Any] = gradient_errors(ours, theirs)
    errors["loss_relative"] = abs(our_loss - their_loss) / abs(their_loss)
    errors["n_examples"] = len(examples)
    compared = ("loss_relative", "gradient_relative", "worst_gradient_relative")
    rows = [(f"float32, {name}", errors[name]) for name in compared]
    if arguments.dtype != "float32":
        (_, our_rounded), (_, their_rounded) = _both_steps(arguments, examples, arguments.dtype, TrlSettings())
        rounding = {
            "bsft": gradient_errors(our_rounded, ours)["gradient_relative"],
            "TRL": gradient_errors(their_rounded, theirs)["gradient_relative"],
        }
        errors["rounding_gradient_relative"] = rounding
        rows += [(f"{arguments.dtype} against float32, {name}", error) for name, error in rounding.items()]
    common.show(f"Equality, {len(examples)} examples", ["", "relative error"], rows)
    if max(errors["loss_relative"], errors["gradient_relative"]) > TOLERANCE:
        raise SystemExit(f"the two sides do not compute the same: errors above {TOLERANCE}")
    if arguments.dtype != "float32" and rounding["bsft"] > MAX_ROUNDING_RATIO * rounding["TRL"]:
        raise SystemExit(f"in {arguments.dtype} our gradients are less exact than TRL's")
    return errors


Gradients = dict[str, torch.Tensor]


def _both_steps(
    arguments: argparse.Namespace, examples: list[Example], dtype: str, settings: TrlSettings
) -> tuple[tuple[float, Gradients], tuple[float, Gradients]]:
    """Loss and unclipped gradients of one step: ours and TRL's."""
    config = _config(arguments, dtype, "trainer.fit.optim.max_grad_norm=0")
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = Path(directory) / "bsft.safetensors", Path(directory) / "trl.safetensors"
        task = replace(_trl_task(arguments, config, examples, settings), max_grad_norm=0.0, gradients=theirs)
        with Side("bsft", run_fit, arguments.device) as side:
            side.start(FitTask(config, examples, ours))
            our_loss = side.step().values[0]
        with Side("TRL", run_trl, arguments.device) as side:
            side.start(task)
            their_loss = side.step().values[0]
        return (our_loss, load_file(ours)), (their_loss, load_file(theirs))


def gradient_errors(ours: Gradients, theirs: Gradients) -> dict[str, float]:
    """Relative errors of all gradients together, and of the worst single parameter.

    Raises:
        SystemExit: the sides train different parameters.
    """
    if ours.keys() != theirs.keys():
        raise SystemExit(f"trained parameters differ: {sorted(ours.keys() ^ theirs.keys())[:3]}")
    squares = {n: float((ours[n] - theirs[n]).double().square().sum()) for n in theirs}
    norms = {n: float(theirs[n].double().square().sum()) for n in theirs}
    return {
        "gradient_relative": (sum(squares.values()) / sum(norms.values())) ** 0.5,
        "worst_gradient_relative": max((squares[n] / norms[n]) ** 0.5 for n in theirs),
        "n_parameters": len(theirs),
    }


# --- search ---


def search(
    arguments: argparse.Namespace, config: cfg.Config, workload: Workload
) -> tuple[TrlSettings, list[dict[str, Any]]]:
    """TRL's fastest settings, coordinate by coordinate and as long as one gets faster; a step of each, after an untimed
    first one."""
    if arguments.trl is not None:
        return TrlSettings(**json.loads(arguments.trl)), []
    if arguments.rivals is not None and BEST not in arguments.rivals:
        return TrlSettings(), []
    examples = workload.examples[: workload.n_rival]
    tried: list[dict[str, Any]] = []
    with Side("TRL", run_trl, arguments.device) as side:

        def speed(settings: TrlSettings) -> float:
            side.start(_trl_task(arguments, config, examples, settings))
            if not tried:
                side.step()
            examples_per_s = len(examples) / side.step().seconds
            side.finish()
            tried.append({"settings": asdict(settings), "examples_per_s": examples_per_s})
            common.progress(f"TRL, {settings}: {examples_per_s:.3g} examples/s")
            return examples_per_s

        best = TrlSettings()
        highest = speed(best)
        for changes in rounds(len(examples)):
            for settings in [replace(best, **change) for change in changes]:
                if (reached := speed(settings)) <= highest:
                    break  # larger ones are slower still
                best, highest = settings, reached
    return best, tried


# --- timing ---


def measure(arguments: argparse.Namespace, config: cfg.Config, workload: Workload, best: TrlSettings) -> dict[str, Any]:
    """Times our side, TRL's and matrix products in turn."""
    tasks: dict[str, tuple[Run, object, list[Example]]] = {
        "bsft": (run_fit, FitTask(config, workload.examples), workload.examples)
    }
    rivals = arguments.rivals
    if rivals is None:
        rivals = [BEST, DEFAULTS] if workload.shape == "thirteen" else [BEST]
    if BEST in rivals:
        rival = workload.examples[: workload.n_rival]
        tasks[_BEST_SIDE] = (run_trl, _trl_task(arguments, config, rival, best), rival)
    if DEFAULTS in rivals:
        # as many copies as the default batch size, so that every step is full
        copies = workload.examples * _DEFAULT_BATCH
        tasks["TRL, defaults"] = (run_trl, _trl_task(arguments, config, copies, None), copies[:_DEFAULT_BATCH])
    with ExitStack() as stack:
        sides = []
        for name, (run, task, _) in tasks.items():
            side = stack.enter_context(Side(name, run, arguments.device))
            side.start(task)
            sides.append(side)
        gemm = stack.enter_context(Side(_GEMM, run_gemm, arguments.device))
        gemm.start(GemmTask(arguments.device, common.DTYPES[arguments.dtype]))
        sides.insert(1, gemm)
        reports = alternate(sides, arguments.repetitions, common.progress)
    summed, distinct = token_counts(workload.examples)
    assert isinstance(config.method, cfg.SftConfig)
    flops = necessary_flops(common.weights_of(config.model), workload.examples, config.method.lora.rank)
    return {
        "trl_settings": asdict(best),
        "n_examples": len(workload.examples),
        "tokens": {"summed": summed, "distinct": distinct},
        "necessary_flops": flops,
        "peak_flops": peak_flops(reports[_GEMM]),
        "sides": [
            _side(name, reports[name], examples, summed / len(workload.examples))
            for name, (_, _, examples) in tasks.items()
        ],
    }


def _side(name: str, reports: list[Report], examples: list[Example], mean_tokens: float) -> dict[str, Any]:
    """A side's figures; examples a second are of the workload's mean length."""
    seconds = [r.seconds for r in reports]
    n_tokens = token_counts(examples)[0]
    return {
        "side": name,
        "examples_per_step": len(examples),
        "seconds": seconds,
        "summed_tokens_per_s": n_tokens / common.median(seconds),
        "examples_per_s": n_tokens / common.median(seconds) / mean_tokens,
        "losses": [r.values[0] for r in reports],
        "peak_bytes": max(r.peak_bytes for r in reports),
    }


def report(figures: dict[str, Any]) -> None:
    """Prints the table, and derives the ratios into `figures`."""
    ours, *rivals = figures["sides"]
    tokens = figures["tokens"]
    for rival in rivals:
        rival["ratio"] = ours["examples_per_s"] / rival["examples_per_s"]
        rival["memory_ratio"] = ours["peak_bytes"] / rival["peak_bytes"]
    figures["peak_share"] = figures["necessary_flops"] / common.median(ours["seconds"]) / figures["peak_flops"]
    common.show(
        f"Training, shape {figures['shape']}: {figures['n_examples']} examples, {tokens['summed']} tokens, "
        f"{tokens['distinct']} distinct; {figures['model']}, {figures['dtype']}",
        ["", "examples/s", "s per step", "examples per step", "peak MiB", "bsft is faster by", "bsft's memory"],
        [
            (
                side["side"],
                side["examples_per_s"],
                common.median(side["seconds"]),
                side["examples_per_step"],
                f"{side['peak_bytes'] / 2**20:.0f}",
                f"{side['ratio']:.2f} x" if "ratio" in side else "",
                f"{side['memory_ratio']:.2f} x" if "ratio" in side else "",
            )
            for side in figures["sides"]
        ],
    )
    if any(rival["side"] == _BEST_SIDE for rival in rivals):
        common.console.print(f"TRL's best settings: {TrlSettings(**figures['trl_settings'])}")
    common.console.print(
        f"summed / distinct tokens: {tokens['summed'] / tokens['distinct']:.2f}\n"
        f"necessary: {figures['necessary_flops'] / 1e12:.2f} TFLOP a step; GEMM peak {figures['peak_flops'] / 1e9:.0f} "
        f"GFLOP/s; share of peak {figures['peak_share']:.1%}"
    )


if __name__ == "__main__":
    main()
