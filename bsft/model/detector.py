"""A decoupled detector: a linear head that says, from the last state of a prompt, which behaviour is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bsft.records.errors import BadInput
from bsft.records.schema import BEHAVIORS, Behavior

DETECTOR = "detector.safetensors"
"""Its file in an adapter's directory."""
_NEVER = -1e4
"""The logit of a behaviour that no training item had."""


@dataclass(frozen=True)
class Detector:
    """`weight` `(3, H)` and `bias` `(3,)`, behaviours in spectrum order."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def fit(cls, states: Tensor, due: Sequence[Behavior], l2: float) -> Self:
        """Logistic regression on standardised states; the standardisation is folded into the head.

        Args:
            states: `(N, H)`.
            due: the gold behaviour of each.
            l2: the penalty (scikit-learn's 1 / C).

        Raises:
            BadInput: the same behaviour is due everywhere.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        if len(set(due)) < 2:
            raise BadInput("the training items have one behaviour only, from which no detector can be fitted")
        scaler = StandardScaler()
        standard = scaler.fit_transform(states.double().cpu().numpy())
        gold = np.array([BEHAVIORS.index(behavior) for behavior in due])
        head = LogisticRegression(C=1 / l2, max_iter=1000).fit(standard, gold)
        rows, biases = head.coef_, head.intercept_
        if len(head.classes_) == 2:  # one row, which stands for the second
            rows, biases = np.concatenate([0 * rows, rows]), np.concatenate([0 * biases, biases])
        rows = rows / scaler.scale_
        weight, bias = np.zeros((len(BEHAVIORS), states.shape[1])), np.full(len(BEHAVIORS), _NEVER)
        weight[head.classes_], bias[head.classes_] = rows, biases - rows @ scaler.mean_
        return cls(torch.from_numpy(weight).float(), torch.from_numpy(bias).float())

    def probabilities(self, states: Tensor) -> Tensor:
        """`(N, H)` -> `(N, 3)`."""
        return (states.float().cpu() @ self.weight.T + self.bias).softmax(-1)

    def save(self, directory: Path) -> None:
        save_file({"weight": self.weight, "bias": self.bias}, directory / DETECTOR)

    @classmethod
    def load(cls, directory: Path) -> Self | None:
        """None where there is none."""
        return cls(**load_file(directory / DETECTOR)) if (directory / DETECTOR).is_file() else None
