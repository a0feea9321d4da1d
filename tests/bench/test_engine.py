"""The engine's fingerprint: nothing that decides which items there are may be left out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bsft.bench import engine

PROBE = """
import json, sys
from bsft.bench.build import BuildSpec, make_items, plan_cases, load_bank
list(make_items(BuildSpec(n_cases=10), plan_cases(load_bank(), 10, 0)["train"][:1]))
print(json.dumps([m.__file__ for name, m in sys.modules.items() if name.startswith("bsft.bench.") and m.__file__]))
"""


def test_every_module_that_making_items_imports_belongs_to_the_engine() -> None:
    """But the store, which only reads and writes, and the package's own empty file."""
    ran = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    imported = {Path(file) for file in json.loads(ran.stdout)}
    left_out = imported - set(engine.engine_files())
    assert {file.relative_to(Path(engine.__file__).parent).parts[0] for file in left_out} <= {"store"}


def test_what_is_left_out_exists() -> None:
    assert all((Path(engine.__file__).parent / name).exists() for name in engine.NOT_ENGINE)


def test_case_bank_wordings_and_tasks_belong_to_the_engine() -> None:
    names = {file.parent.name for file in engine.engine_files()} | {file.name for file in engine.engine_files()}
    assert {"cardiology", "wordings", "tasks", "records.py", "build.py", "replies.yaml"} <= names


def test_a_changed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = engine.sha256_of(tmp_path)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "b.py").write_text("y = 1\n")
    assert engine.sha256_of(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2\n")
    assert engine.sha256_of(tmp_path) != before
