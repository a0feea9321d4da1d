"""Run directories made by hand: every value in a test below can be checked against these few lines."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from bsft.runs.completeness import seal_adapter

GROUPS = {
    "ddx_reasoning": "reactive",
    "temporal_ordering": "reactive",
    "image_reasoning": "reactive",
    "lab_interpretation": "reactive",
    "treatment_planning": "balanced",
    "next_test_selection": "balanced",
    "case_handoff": "balanced",
    "patient_counseling": "balanced",
    "omission_detection": "proactive",
    "error_correction": "proactive",
    "consistency_check": "proactive",
    "ambiguity_clarification": "proactive",
    "critical_data_alert": "proactive",
}
BY_ACCURACY = {"ddx_reasoning", "temporal_ordering"}
MACRO_F1_OF_NEVER_FLAG = 0.4


def scores_of(task_scores: Mapping[str, float]) -> dict[str, Any]:
    """`overall` and `group` of metrics.json: plain means, intervals of ± 0.05."""

    def summary(values: list[float]) -> dict[str, Any]:
        mean = fmean(values)
        interval = [max(0.0, mean - 0.05), min(1.0, mean + 0.05)]
        return {"macro_f1": mean, "macro_f1_ci95": interval, "accuracy": mean, "mcc": 0.25}

    groups = {
        group: [value for task, value in task_scores.items() if GROUPS[task] == group]
        for group in ("reactive", "balanced", "proactive")
    }
    return {
        "overall": summary(list(task_scores.values())),
        "group": {group: summary(values) if values else None for group, values in groups.items()},
    }


def naive_of(tasks: Mapping[str, float]) -> dict[str, Any]:
    """Every policy scores the same on all tasks; never-flag scores `MACRO_F1_OF_NEVER_FLAG`."""
    scores = {"majority": 0.3, "random": 0.2, "always_flag": 0.1, "never_flag": MACRO_F1_OF_NEVER_FLAG}
    flags = {"majority": 0.0, "random": 0.5, "always_flag": 1.0, "never_flag": 0.0}
    return {
        policy: {
            **scores_of(dict.fromkeys(tasks, scores[policy])),
            "task": dict.fromkeys(tasks, scores[policy]),
            "restraint": {"over_intervention_rate": flags[policy], "pair_accuracy": 0.0},
        }
        for policy in ("majority", "random", "always_flag", "never_flag")
    }


@dataclass
class Sweep:
    """Makes run directories below `path`."""

    path: Path
    names: list[str] = field(default_factory=list)

    def job(
        self,
        method: str = "baseline",
        *,
        tasks: Mapping[str, float] | None = None,
        model: str = "smollm2_135m",
        data: str = "behaviorbench_open",
        seed: int = 0,
        over_intervention_rate: float = 0.2,
        state: str = "done",
        reason: str | None = None,
        settings: Mapping[str, Any] | None = None,
        curve: str | None = None,
        **more: Any,
    ) -> Path:
        """One run directory; `more` replaces whole entries of metrics.json."""
        tasks = dict.fromkeys(GROUPS, 0.5) if tasks is None else tasks
        name = f"{method}-{model}-s{seed}-{len(self.names):08x}"
        self.names.append(name)
        directory = self.path / name
        directory.mkdir(parents=True)
        identity: dict[str, Any] = {
            "method": {"name": method},
            "model": {"name": model},
            "data": {"name": data, "sha256": "ab" * 32},
            "seed": seed,
        }
        if method.endswith("_sft"):
            identity["method"] |= {"tuning": "lora", "lora": {"rank": 16}}
            identity["trainer"] = {"fit": {"max_epochs": 1}}
        if method == "few_shot":
            identity["method"]["k"] = 3
        for key, value in (settings or {}).items():
            *sections, last = key.split(".")
            node = identity
            for section in sections:
                node = node.setdefault(section, {})
            node[last] = value
        (directory / "config.yaml").write_text(yaml.safe_dump({"config": identity, "identity": identity}))
        self.status(directory, state, reason=reason)
        if curve is not None:
            (directory / "train.csv").write_text(curve)
        if state == "done":
            metrics = {
                "schema": 1,
                "method": method,
                "model": model,
                "data": data,
                "split": "test",
                "seed": seed,
                "n": 1200,
                "n_evidence_lost": 0,
                "n_shortened": 0,
                **scores_of(tasks),
                "task": {
                    task: {
                        "score": value,
                        "metric": "accuracy" if task in BY_ACCURACY else "macro_f1",
                        "n": 100,
                        "ci95": [max(0.0, value - 0.1), min(1.0, value + 0.1)],
                        "accuracy": value,
                        "mcc": None,
                        "group": GROUPS[task],
                        "support": {"a": 50, "b": 50},
                    }
                    for task, value in tasks.items()
                },
                "naive": naive_of(tasks),
                "restraint": {
                    "over_intervention_rate": over_intervention_rate,
                    "over_intervention_ci95": [over_intervention_rate / 2, min(1.0, over_intervention_rate * 2)],
                    "pair_accuracy": 0.45,
                },
                "flags": FLAGS,
                "behavior": None,
                "generation": None,
                "cost": {"fit_s": 0.0, "score_s": 75.0, "tokens": 1000, "peak_rss_mb": 900},
                **more,
            }
            (directory / "metrics.json").write_text(json.dumps(metrics))
            (directory / "predictions.jsonl").write_text('{"item_id": "a"}\n')
            if method.endswith("_sft"):
                (directory / "adapter").mkdir()
                (directory / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
                seal_adapter(directory / "adapter", fit_s=1.5)
        return directory

    def status(self, directory: Path, state: str, **values: Any) -> None:
        status = {
            "state": state,
            "reason": None,
            "step": None,
            "updated_unix_s": time.time() - 90,
            "pid": os.getpid(),
            "host": os.uname().nodename,
        }
        (directory / "status.json").write_text(json.dumps(status | values))


FLAGS = {
    "overall": {
        "n": 1200,
        "n_pairs": 300,
        "auc": 0.71,
        "auc_ci95": [0.6, 0.8],
        "paired_auc": 0.83,
        "paired_auc_ci95": [0.7, 0.9],
        "missed_intervention_rate": 0.61,
        "pair_accuracy": 0.45,
        "pair_accuracy_by_chance": 0.21,
        "twin_effect_nats": 2.5,
    },
    "kind": {
        "critical/vital_sign": {"n": 80, "n_pairs": 40, "paired_auc": 0.92, "paired_auc_ci95": [0.8, 1.0]},
        "error/side": {"n": 60, "n_pairs": 30, "paired_auc": 0.52, "paired_auc_ci95": [0.3, 0.7]},
    },
    "within_item_spread_nats": 0.6,
    "noise_floor": {"paraphrase": {"n": 40, "median_nats": 0.4}},
    "matched": {
        "target": 0.05,
        "threshold_nats": -1.5,
        "n_calm": 200,
        "proactive": 0.37,
        "over_intervention_rate": 0.048,
        "missed_intervention_rate": 0.41,
    },
    "prior_removed": {
        "auc": 0.77,
        "matched": {"target": 0.05, "threshold_nats": 0.2, "n_calm": 200, "proactive": 0.39},
    },
}
BEHAVIOR = {
    "token_accuracy": 0.8,
    "auroc_proactive": 0.9,
    "arms": {
        "predicted": {"macro_f1": 0.7, "over_intervention_rate": 0.1},
        "forced_right": {"macro_f1": 0.9, "over_intervention_rate": 0.01},
        "forced_wrong": {"macro_f1": 0.3, "over_intervention_rate": 0.8},
        "none": {"macro_f1": 0.6, "over_intervention_rate": 0.3},
    },
}
CURVE = "step,loss,lr,val_macro_f1\n1,2.0,0.001,\n2,1.5,0.001,\n2,,,0.40\n3,1.2,0.001,\n4,1.0,0.0005,\n4,,,0.55\n"
