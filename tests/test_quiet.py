"""A real command on a tiny model, in a process of its own: it says nothing but its own lines and keeps no secret."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from jobs import arguments_of

HEX = "0123456789abcdef0123456789abcdef01234567"
SECRETS = ("correct-horse-battery", "sk-never-to-be-seen-1234", HEX)
OURS = re.compile(r"(fitting|scoring|generating|(threshold|prior|noise floor) of) \S+: \d+/\d+, ETA \d+ s")


def bsft_train(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = str(Path(sys.executable).with_name("bsft-train"))
    return subprocess.run([command, *arguments], capture_output=True, text=True, cwd=cwd, timeout=600, check=False)


def assert_kept_nowhere(root: Path) -> None:
    for file in root.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not [secret for secret in SECRETS if secret.encode() in content], file


@pytest.mark.parametrize("logger", ["wandb", pytest.param("csv", marks=pytest.mark.slow)])
def test_a_sweep_says_its_own_lines_and_keeps_no_key(small: Path, root: Path, tmp_path: Path, logger: str) -> None:
    done = bsft_train(
        tmp_path, *arguments_of(small, root, "-m", "method=behavior_sft,few_shot", f"logger={logger}"),
        "trainer.fit.max_steps=1", "trainer.score.generate_items=1", "data.max_eval_items=8",
        f"+hydra.job.env_set.SOME_SERVICE_KEY={SECRETS[0]}", f"+hydra.job.env_set.OPENAI_API_KEY={SECRETS[1]}",
        f"+hydra.job.env_set.WANDB_API_KEY={HEX}",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [line for line in done.stderr.splitlines() if not OURS.fullmatch(line)] == []
    assert_kept_nowhere(root)
    assert "SOME_SERVICE_KEY=***" in (root / "runs" / "multirun.yaml").read_text()


def test_a_failure_keeps_no_key(small: Path, root: Path, tmp_path: Path) -> None:
    done = bsft_train(
        tmp_path, *arguments_of(small, root, "method=baseline", "model.max_length_tokens=64"),
        f"method.system_prompt='Use {SECRETS[1]} here. {'Long. ' * 200}'",
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "failed: " in done.stderr
    assert not [secret for secret in SECRETS if secret in done.stderr]
    assert_kept_nowhere(root)
