"""`bsft-train --help`: what can be chosen, read off the files that it is chosen from. Nothing is composed."""

from __future__ import annotations

import textwrap
from pathlib import Path

from bsft.config import SCHEMAS
from bsft.records.paths import config_dir, user_path

WIDTH = 110
_HEADER = """\
usage: bsft-train [GROUP=OPTION ...] [KEY=VALUE ...] [-m] [--cfg job [--resolve]] [--config-dir DIR]

One job is one method, one model, one benchmark and one seed: it fits (or does not), scores, and leaves a directory
that says everything about itself. -m makes a sweep of it. The same command again skips what is done.

  bsft-train method=behavior_sft model=smollm2_135m method.lora.rank=8 seed=1
  bsft-train -m method=baseline,behavior_sft model=tiny,smollm2_135m seed=0,1,2 sweep=mine
  bsft-train experiment=demo dry_run=true
"""
_FOOTER = """\
useful values (--cfg job prints all, with your choices applied):
  seed=0                          of the training; the items' order and the exemplars too
  sweep=runs, root=multirun       jobs lie in ROOT/SWEEP/JOB
  dry_run=true                    list the jobs and start none
  redo=true                       start over; the old directory is kept aside
  data.path=DIR                   where behaviorbench_jsonl and mederrbench lie
  data.tasks=[a,b]                these tasks only
  data.flags=[flag_dose]          of proactive tasks, only pairs with such a problem
  data.max_eval_items=100         whole cases of the test split up to so many items; also max_train_items
  data.eval_split=val             which split is scored
  method.lora.rank=16             also method.lora.alpha, method.tuning=lora|full|qlora
  method.behavior.mode=force      with method.behavior.token=reactive|balanced|proactive
  method.k=3                      exemplars of method=few_shot
  trainer.fit.max_steps=100       also max_epochs, cases_per_step, first_layer, optim.lr, val_every_steps, patience
  trainer.precision=32-true       or bf16-mixed
  model.source=local              with model.path=DIR: a model of your own

options:
  -m, --multirun                  every combination of a,b and range(0,5)
  --cfg job [--resolve]           print the config and stop
  --config-dir DIR                YAML files of your own, for example DIR/experiment/pilot.yaml
  hydra/launcher=, hydra/sweeper= Hydra's plugins, for clusters and for searches; more: --hydra-help

bsft status and bsft report read what is finished.
"""


def usage(more_configs: str | None = None) -> str:
    """The help text.

    Args:
        more_configs: a directory with YAML files of the user's own (`--config-dir`).
    """
    directories = [config_dir(), *([user_path(more_configs)] if more_configs is not None else [])]
    groups = [_group(group, directories) for group in (*SCHEMAS, "experiment")]
    return f"{_HEADER}\ngroups and their options:\n" + "\n".join(groups) + f"\n\n{_FOOTER}"


def _group(group: str, directories: list[Path]) -> str:
    options = sorted({file.stem for directory in directories for file in (directory / group).glob("*.yaml")})
    title = f"  {group}="
    return textwrap.fill(
        ", ".join(options), WIDTH, initial_indent=f"{title:<14}", subsequent_indent=" " * 14, break_on_hyphens=False
    )
