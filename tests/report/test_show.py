"""`bsft show`: items are found, read as a person reads them, and rendered as the model does."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType
from small import case_items, write_small

from bsft import cli
from bsft.records.errors import BadInput
from bsft.records.schema import ImageSpec, Item, Locus, Option, Perturbation, Turn
from bsft.records.store import Benchmark, open_benchmark
from bsft.show.find import Found, find_item
from bsft.show.item import item_view
from bsft.show.scene import contrast_of, marked, scene_view

Show = Callable[..., tuple[int, str, str]]


def text_of(view: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def alert_twins() -> tuple[Item, Item]:
    """The perturbed and the clean alert of case 2: allergic to codeine, and to morphine."""
    perturbed, clean = case_items(2, "train")[2:]
    return perturbed, clean


def scene(*turns: str, perturbation: Perturbation | None = None) -> Item:
    return Item(
        id="made/1",
        case_id="made",
        task="critical_data_alert",
        group="proactive",
        gold_behavior="proactive" if perturbation else "reactive",
        autonomy="L3",
        turns=[Turn(speaker="Chart", role="record", text=text) for text in turns],
        options=[Option(text="Stop.", label="flag", flag=True), Option(text="Done.", label="no_flag", flag=False)],
        label="flag" if perturbation else "no_flag",
        variant="perturbed" if perturbation else "clean",
        perturbation=perturbation,
        split="train",
    )


@pytest.fixture
def benchmark(small: Path) -> Benchmark:
    return open_benchmark(small)


@pytest.fixture
def show(small: Path, capsys: pytest.CaptureFixture[str]) -> Show:
    """Runs `bsft show` on the small benchmark; returns exit status, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["show", *arguments, f"data.path={small}"])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


# --- which item -----------------------------------------------------------------------------------------------------


def test_an_item_is_found_by_its_id_with_its_twin(benchmark: Benchmark) -> None:
    found = find_item(benchmark, "case2/alert/clean")
    assert found.item.id == "case2/alert/clean"
    assert found.twin is not None
    assert found.twin.id == "case2/alert/perturbed"


def test_a_beginning_is_enough_when_only_one_id_has_it(benchmark: Benchmark) -> None:
    assert find_item(benchmark, "case2/alert/p").item.id == "case2/alert/perturbed"
    with pytest.raises(
        BadInput, match=r"case2/: 4 items begin with it: case2/lab, case2/plan, case2/alert/perturbed, \.\.\."
    ):
        find_item(benchmark, "case2/")


def test_an_id_that_others_begin_with_is_still_an_id(tmp_path: Path) -> None:
    lab, plan = case_items(1, "train")[:2]
    lines = [lab.model_copy(update={"id": "a/10"}), plan.model_copy(update={"id": "a/1"})]
    file = tmp_path / "items.jsonl"
    file.write_text("\n".join(line.model_dump_json() for line in lines), encoding="utf-8")
    assert find_item(open_benchmark(file), "a/1").item.task == "treatment_planning"


def test_unknown_ids_name_the_nearest(benchmark: Benchmark) -> None:
    with pytest.raises(BadInput, match=r"case2/alrt/clean: no such item in .*; nearest are case2/alert/clean, "):
        find_item(benchmark, "case2/alrt/clean")


def test_splits_are_respected(benchmark: Benchmark) -> None:
    assert find_item(benchmark, "case200/lab", split="test").item.split == "test"
    with pytest.raises(BadInput, match=r"case200/lab: no such item in .*, split train; nearest"):
        find_item(benchmark, "case200/lab", split="train")
    with pytest.raises(BadInput, match=r"--split tets: .* has train, val, test; did you mean test\?"):
        find_item(benchmark, "random", split="tets")


def test_random_items_depend_on_the_seed_only(benchmark: Benchmark) -> None:
    drawn = [find_item(benchmark, "random", seed=seed).item.id for seed in range(20)]
    assert drawn == [find_item(benchmark, "random", seed=seed).item.id for seed in range(20)]
    assert len(set(drawn)) > 10
    assert find_item(benchmark, "random:lab_interpretation", seed=1).item.task == "lab_interpretation"
    with pytest.raises(
        BadInput, match=r"random:lab_interp.* has the tasks critical.*did you mean lab_interpretation\?"
    ):
        find_item(benchmark, "random:lab_interpretatio")


# --- what is shown --------------------------------------------------------------------------------------------------


def test_an_item_is_told_in_full() -> None:
    perturbed, clean = alert_twins()
    told = text_of(item_view(Found(perturbed, clean)))
    assert told == text_of(item_view(Found(perturbed, clean)))
    for expected in (
        "case2/alert/perturbed",
        "task          critical_data_alert  proactive",
        "from          split train, case case2",
        "variant       perturbed  a problem was put in",
        "problem       critical/allergy_order in turn 3, nurse, field allergy",
        "morphine → codeine",
        "determinable  yes",
        "twin          case2/alert/clean",
        "autonomy      L3",
        "3         Nurse  Allergic to ⟦morphine → codeine⟧.",
        "to the agent  Write up codeine.",
        "✓      ⚑      flag_allergy   Stop: codeine allergy!",
        "              no_flag        Ordered codeine now.",
        "<|proactive|> Stop: codeine allergy!",
    ):
        assert expected in told, expected


def test_a_clean_item_shows_what_its_twin_has() -> None:
    perturbed, clean = alert_twins()
    told = text_of(item_view(Found(clean, perturbed)))
    assert "Allergic to ⟦morphine → codeine⟧." in told
    assert "(in the twin)" in told
    assert "this item has the before side" in told
    assert "<|reactive|> Ordered codeine now." in told


def test_the_twins_side_is_struck_through() -> None:
    perturbed, clean = alert_twins()
    for item, twin, struck in ((perturbed, clean, "morphine"), (clean, perturbed, "codeine")):
        contrast = contrast_of(item, twin)
        text = marked(item.turns[2].text, contrast.other_texts[2], contrast.item_is_after)
        assert [text.plain[s.start : s.end] for s in text.spans if "strike" in str(s.style)] == [struck]


def test_without_its_twin_the_recorded_change_is_marked() -> None:
    perturbed, _ = alert_twins()
    told = text_of(item_view(Found(perturbed, None)))
    assert "Allergic to ⟦morphine → codeine⟧." in told
    assert "case2/alert/clean  (not in this benchmark)" in told


def test_a_removed_text_is_marked_as_nothing() -> None:
    before = "Known asthma. Takes salbutamol."
    change = Perturbation(
        kind="omission/history", locus=Locus(turn=0, role="record", field="history"), before=before, after="Takes it."
    )
    item, twin = scene("Takes salbutamol.", perturbation=change), scene(before)
    assert "⟦Known asthma. → ∅⟧" in text_of(scene_view(item, contrast_of(item, twin)))


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        ("temperature 40.9, pulse 90", "temperature 36.4, pulse 90", "temperature ⟦36.4 → 40.9⟧, pulse 90"),
        ("at 08:55.", "at 07:15.", "at ⟦07:15 → 08:55⟧."),
        ("b came before a.", "a came before b.", "⟦a came before b → b came before a⟧."),
        ("same", "same", "same"),
    ],
)
def test_whole_words_are_marked(own: str, other: str, expected: str) -> None:
    assert marked(own, other, is_after=True).plain == expected


def test_results_are_a_table_with_what_lies_outside() -> None:
    text = "Bloods at 10:05:\nPotassium 2.9 mmol/L (ref 3.5-5.3)\nINR 1.1 (ref 0.8-1.2)\nCRP 18 mg/L (ref <5)"
    item = scene(text)
    lines = text_of(scene_view(item, contrast_of(item, None))).splitlines()
    assert [line.split() for line in lines if "Bloods" in line] == [["1", "Chart", "Bloods", "at", "10:05:"]]
    rows = [line.split() for line in lines]
    assert ["test", "result", "unit", "reference"] in rows
    assert ["Potassium", "2.9", "mmol/L", "3.5-5.3", "low"] in rows
    assert ["INR", "1.1", "0.8-1.2"] in rows
    assert ["CRP", "18", "mg/L", "<5", "high"] in rows


def test_a_change_in_a_table_is_marked_in_its_cell() -> None:
    own, other = ("Bloods:\nSodium 14 mmol/L (ref 133-146)", "Bloods:\nSodium 140 mmol/L (ref 133-146)")
    change = Perturbation(
        kind="error/decimal_shift", locus=Locus(turn=0, role="record", field="row0"), before=other, after=own
    )
    item, twin = scene(own, perturbation=change), scene(other)
    told = text_of(scene_view(item, contrast_of(item, twin)))
    assert "Sodium   ⟦140 → 14⟧   mmol/L   133-146     low" in told


def test_nobody_asks_when_there_is_no_query() -> None:
    item = scene("Stable overnight.")
    assert "nobody asks  The agent speaks unprompted." in text_of(scene_view(item, contrast_of(item, None)))


def test_square_brackets_in_a_text_are_no_markup() -> None:
    item = scene("Dose [bold] 5 mg [/bold].")
    assert "Dose [bold] 5 mg [/bold]." in text_of(item_view(Found(item, None)))


# --- the command ----------------------------------------------------------------------------------------------------


def test_command_prints_the_item(show: Show) -> None:
    status, told, complaint = show("case2/lab")
    assert (status, complaint) == (0, "")
    assert "How is the potassium?" in told
    assert "<|reactive|> The potassium is high." in told


def test_command_prints_json(show: Show, small: Path) -> None:
    status, told, _ = show("case2/alert/clean", "--json")
    found = json.loads(told)
    assert status == 0
    assert Item.model_validate_json(json.dumps(found["item"])) == alert_twins()[1]
    assert found["twin"]["id"] == "case2/alert/perturbed"
    assert (found["images"], found["rendered"]) == ([], None)


@pytest.mark.parametrize("method", ["behavior_sft", "general_sft", "few_shot"])
def test_tokens_are_those_of_a_job(show: Show, method: str) -> None:
    status, told, _ = show("case2/alert/perturbed", "--tokens", "--model", "tiny", "--method", method, "--json")
    rendered: dict[str, Any] = json.loads(told)["rendered"]
    assert status == 0
    supervised = "".join(token["text"] for token in rendered["tokens"] if token["supervised"])
    opening = "<|proactive|>" if method == "behavior_sft" else ""
    assert supervised == f"{opening}Stop: codeine allergy!<|im_end|>"
    prompt = "".join(token["text"] for token in rendered["tokens"] if not token["supervised"])
    assert prompt.endswith("Nurse: Allergic to codeine.\n\nWrite up codeine.<|im_end|>\n<|im_start|>assistant\n")
    assert prompt.count("<|im_start|>assistant") == (5 if method == "few_shot" else 1)


def test_tokens_show_what_is_supervised(show: Show) -> None:
    status, told, _ = show("case2/alert/perturbed", "--tokens", "--model", "tiny")
    assert status == 0
    assert "tokens of tiny with method behavior_sft: prompt, not supervised:" in told
    assert "behaviour token, supervised: 1 token" in told
    assert "reply, supervised: 23 tokens" in told
    assert "S│t│o│p│:│ │c│o│d│e│i│n│e" in told


def test_figures_are_drawn_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "items.jsonl"
    image = ImageSpec(kind="temperature_chart", params={"hours": [0.0, 6.0], "celsius": [37.0, 39.0]}, alt="a rise")
    data.write_text(case_items(1, "train")[0].model_copy(update={"images": [image]}).model_dump_json())
    assert cli.main(["show", "case1/lab", f"data.path={data}", "--images", str(tmp_path / "drawn")]) == 0
    told = capsys.readouterr().out
    assert "temperature_chart  a rise  (hours=[0, 6], celsius=[37, 39])" in told
    assert (tmp_path / "drawn" / "case1-lab-1-temperature_chart.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("case2/lba",), "case2/lba: no such item in "),
        (("random", "--model", "tiny"), "model=tiny has no effect without --tokens\n"),
        (("random", "trainer=gpu"), "trainer=gpu: allowed are data=OPTION, data.KEY=VALUE, "),
        (("random", "--tokens", "--model", "smollm"), "model=smollm: no such model; did you mean smollm2_135m?"),
        (("random", "data.scene_token=9"), "unknown key data.scene_token; did you mean data.scene_tokens?"),
    ],
)
def test_wrong_input_is_one_sentence(show: Show, arguments: tuple[str, ...], complaint: str) -> None:
    status, told, error = show(*arguments)
    assert (status, told) == (2, "")
    assert error.startswith("bsft show: ")
    assert complaint in error
    assert error.count("\n") == 1


def test_settings_may_stand_anywhere(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "--split", "test", "random", "--seed", "3", f"data.path={small}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["item"]["split"] == "test"


def test_images_need_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_small(tmp_path / "small", train=1, val=1, test=1)
    (tmp_path / "file").write_text("")
    assert cli.main(["show", "random", f"data.path={tmp_path / 'small'}", "--images", str(tmp_path / "file")]) == 2
    assert f"--images {tmp_path / 'file'}: File exists" in capsys.readouterr().err
