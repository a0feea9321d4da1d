"""Where the time of our training step goes: torch.profiler over one step of the project's own fitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks import _common as common
from benchmarks._bsft_side import FitTask, run_fit
from benchmarks._shapes import TRAIN_SHAPES, train_examples
from benchmarks._sides import Finished, Gate

_WARM_UP_STEPS = 2


class _ProfilingGate(Gate):
    """Lets the warm-up steps pass, profiles the next, and ends the loop."""

    def __init__(self, device: str, *, by_shape: bool) -> None:
        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
        self.profiler = profile(activities=activities, record_shapes=by_shape)
        self._n_passed = 0

    def pause(self, values: Sequence[float] = ()) -> None:
        if self._n_passed == _WARM_UP_STEPS + 1:
            self.profiler.stop()
            raise Finished
        if self._n_passed == _WARM_UP_STEPS:
            self.profiler.start()
        self._n_passed += 1


def main() -> None:
    parser = common.parser(__doc__, repetitions=1)
    parser.add_argument("--shape", default="thirteen", choices=tuple(TRAIN_SHAPES))
    parser.add_argument("--rows", type=int, default=25, help="operations to show")
    parser.add_argument("--by-shape", action="store_true", help="count operations on other shapes apart")
    parser.add_argument("--override", nargs="*", default=[], help="overrides of our job's config")
    arguments = parser.parse_args()
    config = common.job(
        arguments.model, arguments.device, arguments.dtype, "method=general_sft", "data.n_cases=40", *arguments.override
    )
    gate = _ProfilingGate(arguments.device, by_shape=arguments.by_shape)
    try:
        run_fit(gate, FitTask(config, train_examples(TRAIN_SHAPES[arguments.shape])))
    except Finished:
        operations = _operations(gate.profiler, arguments.device, by_shape=arguments.by_shape)
    total = sum(o["self_s"] for o in operations)
    common.show(
        f"One training step, shape {arguments.shape}, {arguments.model}, {arguments.dtype}: {total:.2f} s",
        ["operation", "self s", "share", "calls"],
        [(o["name"], o["self_s"], f"{o['self_s'] / total:.1%}", o["calls"]) for o in operations[: arguments.rows]],
    )
    chosen = {"shape": arguments.shape, "model": arguments.model, "dtype": arguments.dtype}
    common.write(arguments, {"benchmark": "profile", **chosen, "operations": operations}, {"profiled step, s": total})


def _operations(profiler: profile, device: str, *, by_shape: bool) -> list[dict[str, Any]]:
    """Operations by their own time, the largest first."""
    wanted = DeviceType.CUDA if device == "cuda" else DeviceType.CPU
    rows = [
        {
            "name": f"{event.key} {event.input_shapes}" if by_shape else event.key,
            "self_s": (event.self_device_time_total if device == "cuda" else event.self_cpu_time_total) / 1e6,
            "calls": event.count,
        }
        for event in profiler.key_averages(group_by_input_shape=by_shape)
        if event.device_type == wanted
    ]
    return sorted(rows, key=lambda row: -row["self_s"])


if __name__ == "__main__":
    main()
