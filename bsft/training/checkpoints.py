"""Checkpoints of a fit: when they are taken, how they are written, and the random states in them."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping

from bsft.records.files import replacing


class DurableCheckpointIO(TorchCheckpointIO):
    """Writes beside the last checkpoint, which stays as it is until the new one is on the disk.

    Lightning's own writes to `$TMPDIR`; from another filesystem it copies over the last checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """
        Raises:
            OSError: it could not be written; the last checkpoint is what it was.
        """
        content = io.BytesIO()  # torch.save would hide why a file cannot be written
        torch.save(checkpoint, content)
        with replacing(Path(path)) as scratch:
            scratch.write_bytes(content.getbuffer())


class StepCheckpoint(Checkpoint):
    """Keeps the last checkpoint, taken when everything of its step is over: where validation is due, after it.

    Lightning's callback takes it before; a training that resumes from there leaves that validation out.
    """

    def __init__(self, file: Path, *, every_steps: int, val_every_steps: int | None) -> None:
        self._file = file
        self._every_steps = every_steps
        self._val_every_steps = val_every_steps

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if trainer.is_global_zero:
            for partial in self._file.parent.glob(f".{self._file.name}.*"):  # of a fit that was killed
                partial.unlink()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if self._val_every_steps is None or trainer.global_step % self._val_every_steps:
            self._save_if_due(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save_if_due(trainer)

    def _save_if_due(self, trainer: Trainer) -> None:
        if trainer.global_step % self._every_steps == 0:
            trainer.save_checkpoint(self._file)


class Patience(EarlyStopping):
    """Early stopping by validation macro-F1, also where the fit resumes from the checkpoint at which it had stopped."""

    def __init__(self, n_validations: int) -> None:
        super().__init__("val/macro_f1", mode="max", patience=n_validations, check_on_train_epoch_end=False)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True


def get_states() -> dict[str, Any]:
    """The random states that a training depends on, as what `weights_only` loading accepts."""
    own = np.random.get_state(legacy=False)
    own["state"]["key"] = own["state"]["key"].tolist()
    states: dict[str, Any] = {"python": random.getstate(), "numpy": own, "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def set_states(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
