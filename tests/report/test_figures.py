"""What the figures draw: positions and values, not pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from made_runs import CURVE, GROUPS, MACRO_F1_OF_NEVER_FLAG, Sweep
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from PIL import Image

from bsft.display.canvas import to_bytes
from bsft.report.figures import curves_figure, radar_figure, restraint_figure
from bsft.report.palette import GROUP_COLOURS, METHOD_COLOURS, Styles, line_styles, task_title
from bsft.report.rows import Block, blocks, comparison
from bsft.report.sweep import read_sweep


def panels_of(sweep: Sweep) -> tuple[list[Block], Styles]:
    rows = comparison(read_sweep(sweep.path).jobs)
    return blocks(rows), line_styles(row for row in rows if not row.naive)


def all_axes(figure: Figure) -> list[Axes]:
    return list(figure.get_axes())


def lines_by_colour(axes: Axes) -> dict[str, np.ndarray]:
    return {
        to_hex(str(line.get_color())).upper(): np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()
    }


def test_radar_has_a_closed_ring_per_method_and_the_never_flag_line(five_methods: Sweep) -> None:
    [axes] = all_axes(radar_figure(*panels_of(five_methods), "demo"))
    assert isinstance(axes, PolarAxes)
    lines = lines_by_colour(axes)
    for method, value in (("baseline", 0.3), ("behavior_sft", 0.8)):
        assert lines[METHOD_COLOURS[method].upper()].tolist() == [value] * 14
    [dashed] = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert np.asarray(dashed.get_ydata()).tolist() == [MACRO_F1_OF_NEVER_FLAG] * 14
    assert axes.get_ylim() == (0, 1)


def test_radar_labels_carry_the_colour_of_their_group_in_order(five_methods: Sweep) -> None:
    [axes] = all_axes(radar_figure(*panels_of(five_methods), "demo"))
    names = {task_title(task): GROUP_COLOURS[group] for task, group in GROUPS.items()}  # type: ignore[index]
    labels = [(text.get_text().replace("\n", " "), text.get_color()) for text in axes.texts]
    assert [label for label in labels if label[0] in names] == list(names.items())


def test_a_task_without_score_leaves_a_gap(sweep: Sweep) -> None:
    sweep.job("baseline", tasks={"ddx_reasoning": 0.5, "case_handoff": 0.5, "error_correction": 0.5})
    sweep.job("general_sft", tasks={"ddx_reasoning": 0.6, "error_correction": 0.7})
    [axes] = all_axes(radar_figure(*panels_of(sweep), "demo"))
    ring = lines_by_colour(axes)[METHOD_COLOURS["general_sft"].upper()]
    np.testing.assert_equal(ring, [0.6, np.nan, 0.7, 0.6])


def test_fewer_than_three_tasks_are_bars(sweep: Sweep) -> None:
    sweep.job("baseline", tasks={"error_correction": 0.25, "case_handoff": 0.5})
    sweep.job("behavior_sft", tasks={"error_correction": 0.75, "case_handoff": 1.0})
    [axes] = all_axes(radar_figure(*panels_of(sweep), "demo"))
    assert not isinstance(axes, PolarAxes)
    assert [patch.get_height() for patch in axes.patches] == [0.5, 1.0, 0.25, 0.75]  # type: ignore[attr-defined]


def test_radar_has_a_panel_per_model_and_data(sweep: Sweep) -> None:
    for model in ("a", "b", "c", "d"):
        sweep.job("baseline", model=model)
    figure = radar_figure(*panels_of(sweep), "sizes")
    assert len(all_axes(figure)) == 4


def test_files_are_1600_pixels_wide_and_the_same_every_time(five_methods: Sweep) -> None:
    first, second = (radar_figure(*panels_of(five_methods), "demo") for _ in range(2))
    assert Image.open(io.BytesIO(to_bytes(first, "png"))).width == 1600
    assert to_bytes(first, "svg") == to_bytes(second, "svg")


def test_restraint_is_one_minus_the_over_intervention_rate(sweep: Sweep) -> None:
    sweep.job("baseline", tasks=dict.fromkeys(GROUPS, 0.6), over_intervention_rate=0.25)
    figure = restraint_figure(*panels_of(sweep))
    assert figure is not None
    [axes] = all_axes(figure)
    points = [container[0].get_xydata()[0].tolist() for container in axes.containers]
    assert np.array(points) == pytest.approx(np.array([(0, 0.1), (1, 0.4), (1, 0.3), (0.5, 0.2), (0.75, 0.6)]))


def test_no_restraint_without_proactive_tasks(sweep: Sweep) -> None:
    sweep.job("baseline", tasks={"case_handoff": 0.5})
    assert restraint_figure(*panels_of(sweep)) is None


def test_curves(sweep: Sweep) -> None:
    sweep.job("baseline")
    sweep.job("behavior_sft", curve=CURVE)
    figure = curves_figure(*panels_of(sweep))
    assert figure is not None
    loss, val = all_axes(figure)
    assert np.asarray(loss.get_lines()[0].get_xydata()).tolist() == [[1, 2.0], [2, 1.5], [3, 1.2], [4, 1.0]]
    assert np.asarray(val.get_lines()[0].get_xydata()).tolist() == [[2, 0.4], [4, 0.55]]


def test_no_curves_when_nothing_was_fitted(sweep: Sweep) -> None:
    sweep.job("baseline")
    assert curves_figure(*panels_of(sweep)) is None


def test_every_row_has_its_own_colour_and_methods_keep_theirs(sweep: Sweep) -> None:
    for rank in (4, 8, 16):
        sweep.job("behavior_sft", settings={"method.lora.rank": rank})
    sweep.job("general_sft")
    sweep.job("my_method")
    _, styles = panels_of(sweep)
    assert styles["general_sft"][0] == METHOD_COLOURS["general_sft"]
    assert len({colour for colour, _ in styles.values()}) == 5


def test_task_titles() -> None:
    assert task_title("ddx_reasoning") == "DDx reasoning"
    assert task_title("case_handoff") == "Case handoff"
