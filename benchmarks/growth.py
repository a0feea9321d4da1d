"""How the cost of a training step grows: with the items of a case, and with the case's length; tree and flat batches.

Prints a table and writes a figure (PNG and SVG). Both batchings take real steps of the project's own fitting.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks import _common as common
from benchmarks._bsft_side import FitTask, run_fit
from benchmarks._shapes import TRAIN_SHAPES, TrainShape, token_counts, train_examples
from benchmarks._sides import Side
from bsft import config as cfg

_BASE = TRAIN_SHAPES["thirteen"]
_ITEMS = (1, 2, 5, 10, 20, 40)
_CASE_TOKENS = (100, 200, 400, 800)
BATCHINGS = ("tree", "flat")
_COLOURS = {"tree": "#0072b2", "flat": "#d55e00"}
_AXES = {
    "n_items": f"items of a case of {_BASE.shared_tokens} tokens",
    "shared_tokens": f"tokens of a case with {_BASE.n_items} items",
}


def main() -> None:
    parser = common.parser(__doc__, repetitions=1)
    parser.add_argument("--items", type=int, nargs="*", default=list(_ITEMS), help="items per case")
    parser.add_argument("--case-tokens", type=int, nargs="*", default=list(_CASE_TOKENS), help="tokens of a case")
    parser.add_argument("--batchings", nargs="+", default=list(BATCHINGS), choices=BATCHINGS)
    parser.add_argument("--figure", type=Path, help="where to write the figure, without suffix")
    arguments = parser.parse_args()
    shapes = {
        "n_items": [replace(_BASE, n_items=n) for n in arguments.items],
        "shared_tokens": [replace(_BASE, shared_tokens=n) for n in arguments.case_tokens],
    }
    points: list[dict[str, Any]] = []
    for batching in arguments.batchings:
        job = ["method=general_sft", f"trainer.batching={batching}"]
        config = common.job(arguments.model, arguments.device, arguments.dtype, *job)
        with Side(batching, run_fit, arguments.device) as side:
            for axis, along in shapes.items():
                points += [_point(side, config, axis, shape, arguments.repetitions) for shape in along]
    common.show(
        f"Seconds of a training step; {arguments.model}, {arguments.dtype}",
        ["batching", "items", "case tokens", "tokens read", "s", "ms per item"],
        [
            [p[name] for name in ("batching", "n_items", "shared_tokens", "tokens_read", "seconds", "ms_per_item")]
            for p in points
        ],
    )
    figures = {"benchmark": "growth", "model": arguments.model, "dtype": arguments.dtype, "points": points}
    figures["environment"] = common.environment(arguments.device)
    seconds = {f"{p['batching']}, {p['n_items']} x {p['shared_tokens']}, s": p["seconds"] for p in points}
    common.write(arguments, figures, seconds)
    if arguments.figure is not None:
        draw(points, arguments.figure)


def _point(side: Side, config: cfg.Config, axis: str, shape: TrainShape, repetitions: int) -> dict[str, Any]:
    """The median step of one shape, after an untimed one."""
    examples = train_examples(shape)
    side.start(FitTask(config, examples))
    side.step()
    seconds = common.median(side.step().seconds for _ in range(repetitions))
    side.finish()
    common.progress(f"{side.name}, {shape.n_items} items, case of {shape.shared_tokens} tokens: {seconds:.2f} s")
    summed, distinct = token_counts(examples)
    return {
        "batching": side.name,
        "axis": axis,
        "n_items": shape.n_items,
        "shared_tokens": shape.shared_tokens,
        "tokens_read": distinct if side.name == "tree" else summed,
        "seconds": seconds,
        "ms_per_item": 1000 * seconds / shape.n_items,
    }


def draw(points: list[dict[str, Any]], file: Path) -> None:
    """One panel for each axis, a line for each batching."""
    figure, panels = plt.subplots(1, len(_AXES), figsize=(9, 3.4), layout="constrained")
    for panel, (axis, label) in zip(panels, _AXES.items(), strict=True):
        _panel(panel, [p for p in points if p["axis"] == axis], axis, label)
    panels[0].set_ylabel("seconds per step")
    panels[0].legend(frameon=False)
    for suffix in (".png", ".svg"):
        figure.savefig(file.with_suffix(suffix), dpi=150)
    plt.close(figure)


def _panel(panel: Axes, points: list[dict[str, Any]], axis: str, label: str) -> None:
    for batching in BATCHINGS:
        own = [p for p in points if p["batching"] == batching]
        panel.plot(
            [p[axis] for p in own], [p["seconds"] for p in own], marker="o", color=_COLOURS[batching], label=batching
        )
    panel.set_xlabel(label)
    panel.set_ylim(bottom=0)
    panel.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
