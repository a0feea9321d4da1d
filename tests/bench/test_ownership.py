"""What a build or an import may replace: earlier outputs of bsft's, and nothing that anybody else has put there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small import TASKS, case_items, write_small
from story_cases import all_cases

from bsft.bench import build as build_module
from bsft.bench.build import BuildSpec, build
from bsft.cli import main
from bsft.importing.files import CASES_FILE, write_records
from bsft.records.errors import BadInput
from bsft.records.schema import Item
from bsft.records.store import check_replaceable, open_benchmark, write_benchmark

WEB_APP = {"name": "Thesis", "short_name": "T", "start_url": "/", "display": "standalone", "icons": []}


def tree(directory: Path) -> dict[str, str]:
    """Everything below a directory, with links as links."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(directory))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(directory))] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path.relative_to(directory))] = "directory"
    return found


def put(file: Path, text: str = "mine") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def put_link(file: Path) -> Path:
    file.unlink()
    file.symlink_to("/etc/hostname")
    return file


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a web app": (
        lambda d: (put(d / "manifest.json", json.dumps(WEB_APP)), put(d / "index.html")),
        "holds index.html, which",
    ),
    "its manifest alone": (lambda d: put(d / "manifest.json", json.dumps(WEB_APP)), "holds manifest.json, which"),
    "a broken manifest": (lambda d: put(d / "manifest.json", "{"), "holds manifest.json, which"),
    "another program's report": (
        lambda d: put(d / "import_report.json", '{"rows": 3}'),
        "holds import_report.json, which",
    ),
    "a deep report": (lambda d: put(d / "import_report.json", "[" * 100_000), "holds import_report.json, which"),
    "a benchmark with notes": (lambda d: (write_small(d), put(d / "notes.md")), "holds notes.md, which"),
    "a benchmark with a subdirectory": (lambda d: (write_small(d), put(d / "figures" / "a.png")), "holds figures,"),
    "a benchmark with a hidden file": (lambda d: (write_small(d), put(d / ".env")), r"holds \.env, which"),
    "a benchmark with a link": (
        lambda d: (write_small(d), put_link(d / "train.jsonl")),
        r"holds train\.jsonl, which",
    ),
    "a directory named as the manifest": (lambda d: put(d / "manifest.json" / "x"), "holds manifest.json, which"),
    "a file": (lambda d: put(d), "is a file, allowed: a directory"),
}


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    (tmp_path / "cases").mkdir()
    write_records(tmp_path / "cases" / CASES_FILE, all_cases())
    return tmp_path / "cases" / "cases.jsonl"


@pytest.mark.parametrize("name", FOREIGN)
def test_every_command_refuses_what_is_not_ours(
    name: str, tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, sentence = FOREIGN[name]
    output = tmp_path / "place" / "out"
    make(output)
    before = tree(tmp_path)
    for command in (["build", "--n-cases=10"], ["import", "cases", str(cases)], ["items", str(cases)]):
        assert main([*command, f"--output={output}"]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"bsft {command[0]}: {output}: ") and told.count("\n") == 1
        with pytest.raises(BadInput, match=sentence):
            check_replaceable(output)
    assert tree(tmp_path) == before


def test_a_link_is_refused_and_what_it_leads_to_stays(
    tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small(tmp_path / "precious")
    (tmp_path / "link").symlink_to("precious")
    (tmp_path / "dangling").symlink_to("nowhere")
    before = tree(tmp_path)
    for name in ("link", "dangling"):
        assert main(["import", "cases", str(cases), f"--output={tmp_path / name}"]) == 2
        assert f"{name}: is a symbolic link, allowed: a directory" in capsys.readouterr().err
    assert tree(tmp_path) == before


@pytest.mark.parametrize("output", [".", "..", "../..", "/", "~", "", "./", "../here"])
def test_the_current_directory_and_those_above_it_are_no_output(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where they hold a benchmark of ours, or nothing."""
    here, home = tmp_path / "here", tmp_path / "home"
    write_small(here)
    home.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    before = tree(tmp_path)
    place = home if output == "~" else Path(output)
    with pytest.raises(BadInput, match=r"is the (current|home) directory or holds it; choose another output"):
        write_benchmark(place, {"train": []}, TASKS, name="n", version="1", seed=0, licence="none")
    with pytest.raises(BadInput, match=r"is the (current|home) directory or holds it; choose another output"):
        build(BuildSpec(10), place, progress=False)
    assert tree(tmp_path) == before


def test_what_each_command_wrote_it_may_replace(
    tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = (
        ["build", "--n-cases=10", "--no-progress", "--workers=1"],
        ["import", "cases", str(cases)],
        ["items", str(cases)],
    )
    for command in (*commands, commands[0]):
        assert main([*command, f"--output={tmp_path / 'out'}"]) == 0, capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cases", "out"]


def test_an_import_does_not_replace_its_own_source(
    tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "imported"
    assert main(["import", "cases", str(cases), f"--output={out}"]) == 0
    before = tree(out)
    for source in (out, out / "cases.jsonl"):
        assert main(["items", str(source), f"--output={out}"]) == 2
        assert f"{out}: holds the source, which would be replaced; choose another output" in capsys.readouterr().err
    assert tree(out) == before


def test_what_is_put_there_while_a_build_goes_on_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "out"
    make = build_module._make

    def slowly(*arguments: object, **options: object) -> None:
        put(output / "thesis.txt")
        make(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(build_module, "_make", slowly)
    with pytest.raises(BadInput, match=r"out: exists and is not a benchmark: it holds thesis\.txt, which"):
        build(BuildSpec(10), output, progress=False)
    assert (output / "thesis.txt").read_text() == "mine"


def test_a_benchmark_that_a_kill_left_aside_is_put_back(tmp_path: Path) -> None:
    """By the next command, whether it reads or writes; another's directory of such a name is left alone."""
    write_small(tmp_path / "out", test=2)
    (tmp_path / "out").rename(tmp_path / ".out.replaced")
    put(tmp_path / ".out.replaced1" / "mine.txt")
    assert len(open_benchmark(tmp_path / "out").items("test")) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.replaced1", "out"]
    (tmp_path / "out").rename(tmp_path / ".out.replaced")
    with pytest.raises(BadInput, match="could not be written"):
        write_benchmark(tmp_path / "out", {"train": _full()}, TASKS, name="n", version="1", seed=0, licence="none")
    assert len(open_benchmark(tmp_path / "out").items("test")) == 8


def _full() -> Iterator[Item]:
    yield case_items(0, "train")[0]
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["audit.json", "audit.md", "audit.html"])
def test_an_audit_replaces_no_other_programs_files(
    name: str, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "audit" / name, '{"auditReportVersion": 2}')
    assert main(["audit", str(small), f"--output={tmp_path / 'audit'}"]) == 2
    assert f"{tmp_path / 'audit' / name}: is not of an audit by bsft; choose another output" in capsys.readouterr().err
    assert main(["audit", str(small), f"--output={tmp_path / 'audit' / name}"]) == 2
    assert "is a file, allowed: a directory" in capsys.readouterr().err
    assert (tmp_path / "audit" / name).read_text() == '{"auditReportVersion": 2}'
