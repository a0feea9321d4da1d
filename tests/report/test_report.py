"""`bsft report` as a user meets it: files, page, messages, exit codes."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_runs import BEHAVIOR, CURVE, GROUPS, Sweep

from bsft.cli import main
from bsft.report.summary import write_report


def run(*argv: str) -> int:
    return main(["report", *argv])


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self._in_heading = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_heading = tag == "h2"
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append(data.strip())
            if self._in_heading:
                self.headings.append(data.strip())


def page_of(sweep: Sweep) -> Page:
    write_report(sweep.path)
    return Page((sweep.path / "report" / "index.html").read_text(encoding="utf-8"))


def test_report_writes_its_files_and_prints_their_paths(
    five_methods: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(five_methods.path)) == 0
    told = capsys.readouterr()
    for name in ("table.md", "table.csv", "radar.png", "radar.svg", "index.html"):
        assert (five_methods.path / "report" / name).stat().st_size > 500
        assert str(five_methods.path / "report" / name) in told.out
    assert "demo: model smollm2_135m, data behaviorbench_open/test" in told.out
    assert "never-flag" in told.out
    assert told.err == ""


def test_json_has_the_rows_of_the_table(five_methods: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    five_methods.job("baseline", seed=7, state="failed", reason="no room")
    assert run(str(five_methods.path), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    rows = write_report(five_methods.path).rows
    assert [(row["method"], row["n"], row["naive"]) for row in found["rows"]] == [
        (row.method, row.n, row.naive) for row in rows
    ]
    assert found["rows"][0]["values"]["macro_f1"]["mean"] == rows[0].values["macro_f1"].mean
    assert found["rows"][0]["jobs"] == [job.name for job in rows[0].jobs]
    assert [(job["state"], job["reason"]) for job in found["unfinished"]] == [("failed", "no room")]
    assert [Path(file).name for file in found["files"]][-1] == "index.html"


def test_the_same_sweep_gives_the_same_bytes(five_methods: Sweep) -> None:
    first = {file.name: file.read_bytes() for file in write_report(five_methods.path).files}
    assert {file.name: file.read_bytes() for file in write_report(five_methods.path).files} == first


def test_the_page_is_self_contained_and_whole(five_methods: Sweep) -> None:
    five_methods.job("general_sft", seed=1, generation={"unparsed_rate": 0.02, "agreement": 0.9, "n": 50})
    page = page_of(five_methods)
    assert page.headings == [
        "Comparison",
        "Score by task",
        "Speaking up and keeping silent",
        "Learning curves",
        "Tasks",
        "Raising alarms",
        "At matched over-intervention",
        "Effect and noise",
        "Paired AUC by kind of problem: smollm2_135m, behaviorbench_open/test",
        "Behaviour tokens",
        "Runs",
    ]
    assert page.addresses and all(address.startswith("data:") for address in page.addresses)
    assert "DDx reasoning" in page.words
    assert five_methods.names[0] in page.words


def test_oracle_bound_is_called_so(sweep: Sweep) -> None:
    sweep.job("behavior_sft", behavior=BEHAVIOR, generation={"unparsed_rate": 0.02, "agreement": 0.9, "n": 50})
    page = page_of(sweep)
    assert "right token forced (oracle bound, not a result)" in page.words
    assert "Generated replies" in page.headings


def test_the_page_escapes_what_others_wrote(sweep: Sweep) -> None:
    sweep.job("baseline")
    sweep.job("behavior_sft", state="failed", reason="<script>alert(1)</script>")
    page = page_of(sweep)
    assert "<script>alert(1)</script>" in page.words
    assert "Not done" in page.headings


def test_runs_show_only_settings_that_their_names_do_not_imply(five_methods: Sweep) -> None:
    assert not [word for word in page_of(five_methods).words if word.startswith(("method.", "trainer."))]
    five_methods.job("general_sft", settings={"trainer.fit.max_epochs": 2})
    assert "trainer.fit.max_epochs" in page_of(five_methods).words


def test_a_damaged_file_is_named_and_the_rest_reported(five_methods: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    bad = five_methods.job("behavior_sft", seed=1)
    (bad / "metrics.json").write_text("{")
    assert run(str(five_methods.path)) == 2
    told = capsys.readouterr()
    assert "behavior_sft" in told.out and (five_methods.path / "report" / "index.html").exists()
    assert told.err.startswith(f"bsft report: {bad / 'metrics.json'}: not valid JSON")
    assert told.err.count("\n") == 1


def test_a_damaged_curve_costs_no_row(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    job = sweep.job("behavior_sft", tasks=dict.fromkeys(GROUPS, 0.8), curve=CURVE + "5,x,,\n")
    assert run(str(sweep.path)) == 2
    told = capsys.readouterr()
    assert "0.800" in told.out
    assert f"{job / 'train.csv'}: damaged" in told.err


def test_jobs_that_are_not_done_are_listed(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    sweep.job("baseline")
    failed = sweep.job("behavior_sft", state="failed", reason="BadInput: no such file")
    queued = sweep.job("general_sft", state="queued")
    assert run(str(sweep.path)) == 0
    told = capsys.readouterr().out
    assert failed.name in told and "BadInput: no such file" in told and queued.name in told


def test_nothing_done_is_an_error(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    sweep.job("baseline", state="failed")
    sweep.job("instructed", state="queued")
    sweep.job("few_shot", state="queued")
    assert run(str(sweep.path)) == 2
    path = sweep.path
    assert capsys.readouterr().err == (
        f"bsft report: {path}: no job is done yet (1 failed, 2 queued); bsft status {path} says more\n"
    )
    assert not (path / "report").exists()


def test_a_directory_without_jobs_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path)) == 2
    assert "no job in this directory" in capsys.readouterr().err


def test_one_job_alone_can_be_reported(sweep: Sweep) -> None:
    job = sweep.job("baseline", tasks={"error_correction": 0.5})
    assert run(str(job)) == 0
    assert (job / "report" / "index.html").exists()
