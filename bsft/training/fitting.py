"""Fitting a backbone with Lightning: progress, checkpoints, validation, resumption."""

import io
import logging
import pickle
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from safetensors import SafetensorError

from bsft import config as cfg
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.display.progress import progress_bar
from bsft.model.detector import Detector
from bsft.model.module import BehaviorLM, Validate
from bsft.model.sharding import ShardedStrategy
from bsft.records.errors import BadInput
from bsft.records.files import replacing, replacing_directory
from bsft.runs.completeness import flaw_of_adapter, seal_adapter, seconds_of_fit
from bsft.runs.directory import RunDirectory
from bsft.runs.job import Job
from bsft.scoring.choices import OptionScorer
from bsft.scoring.evaluation import validation_metrics
from bsft.training.loggers import Rows, RunLogger

log = logging.getLogger(__name__)
CHECKPOINT = "checkpoints/last.ckpt"
CURVES = "train.csv"
CURVE_COLUMNS = {"train/loss": "loss", "train/lr": "lr", "val/macro_f1": "val_macro_f1"}
"""What is logged -> its column in train.csv."""


def fit(job: Job, logger: RunLogger) -> float:
    """Fits the backbone's trainable parameters and writes `adapter/`, or loads it where it is; resumes from the last
    checkpoint. Returns the seconds it took (of the last attempt, where it was interrupted).

    With `trainer.strategy=fsdp` the backbone is of no use after it: its layers are spread over the processes.

    Raises:
        BadInput: a damaged checkpoint, a loss that is not finite, or an adapter to be evaluated that is not intact.
    """
    config, backbone, adapter = job.config, job.backbone, job.directory.adapter
    if (flaw := flaw_of_adapter(adapter)) is None:
        backbone.load_adapter(adapter)
        return seconds_of_fit(adapter)
    if job.directory.owner is not None:
        raise BadInput(f"{flaw}; the command that made the run makes it again")
    if adapter.exists():
        log.warning("%s; fitting again from the last checkpoint", flaw)
    start = time.monotonic()
    recipe = config.trainer.fit
    job.data.setup("fit")
    n_steps = len(job.data.plan)
    row_lr = config.method.behavior.row_lr if isinstance(config.method, cfg.BehaviorSftConfig) else None
    module = BehaviorLM(backbone, recipe, n_steps=n_steps, row_lr=row_lr, validate=_validator(job))
    last = job.directory.path / CHECKPOINT
    with backbone.reading(job.data.batching), progress_bar(f"fitting {job.name}", n_steps) as advance:
        recorder = _Recorder(job.directory, logger, advance)
        patience = [] if recipe.patience is None else [Patience(recipe.patience)]
        checkpoint = StepCheckpoint(last, recipe.checkpoint_every_steps, recipe.val_every_steps)
        trainer = _trainer(job, n_steps, logger, [recorder, *patience, checkpoint])
        _run_or_resume(trainer, module, job.data, last)
    if job.method.detector_l2 is not None and trainer.is_global_zero:
        backbone.detector = _fitted_detector(job, job.method.detector_l2)
    fit_s = time.monotonic() - start
    if trainer.is_global_zero:
        try:
            with replacing_directory(adapter) as scratch:
                backbone.save_adapter(scratch, module.trained_state)
                seal_adapter(scratch, fit_s)
        except (OSError, SafetensorError) as error:
            raise BadInput(f"{adapter}: could not be written: {error}; the same command goes on from here") from error
    trainer.strategy.barrier()
    return fit_s


def _trainer(job: Job, n_steps: int, logger: RunLogger, callbacks: list[Callback]) -> Trainer:
    config = job.config.trainer
    strategies: dict[str, Any] = {"fsdp": ShardedStrategy(), "ddp": "ddp_find_unused_parameters_false"}
    plugins: list[Any] = [DurableCheckpointIO()]
    if SLURMEnvironment.detect():
        plugins.append(SLURMEnvironment(auto_requeue=False))
    return Trainer(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.num_nodes,
        strategy=strategies.get(config.strategy, config.strategy),
        precision="32-true",  # the backbone knows where products are bf16
        max_epochs=1,
        max_steps=n_steps,
        val_check_interval=config.fit.val_every_steps,
        limit_val_batches=1.0 if config.fit.val_every_steps else 0,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=logger.lightning if logger.lightning is not None else False,
        callbacks=callbacks,
        plugins=plugins,
        enable_model_summary=False,
        enable_progress_bar=False,
        use_distributed_sampler=False,
        default_root_dir=str(job.directory.path),
    )


def _run_or_resume(trainer: Trainer, module: BehaviorLM, datamodule: BehaviorBenchDataModule, last: Path) -> None:
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, datamodule=datamodule, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    except SystemExit as end:
        if end.code != 1:  # SIGTERM
            raise
        # what Lightning makes of Ctrl+C, of which it ignores any further one
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from end
    except OSError as error:
        raise BadInput(f"{last.parent}: {error.strerror or error}; the last checkpoint is intact") from error
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        if last.exists() and not _readable(last):
            raise BadInput(f"{last}: the checkpoint is damaged; delete it or use redo=true") from error
        raise


def _readable(checkpoint: Path) -> bool:
    try:
        torch.load(checkpoint, weights_only=True, map_location="cpu")
    except Exception:  # any failure to read it means damaged
        return False
    return True


def _scorer(job: Job) -> OptionScorer:
    recipe = job.config.trainer.score
    return OptionScorer(job.backbone, batching=job.data.batching, batch_tokens=recipe.batch_tokens, shared_prefix=())


def _fitted_detector(job: Job, l2: float) -> Detector:
    """Fits a detector on the states that the fitted model has of the items that it was fitted on."""
    items, rows = job.data.train_items, sorted({i for step in job.data.plan for i in step})
    assert items is not None
    candidates = [job.renderer.candidates(items[i], items.twin(i)) for i in rows]
    job.backbone.module.to(job.device).eval()
    with progress_bar(f"detector of {job.name}", len(rows)) as advance:
        states = _scorer(job).prompt_states(candidates, advance)
    return Detector.fit(states, [c.item.gold_behavior for c in candidates], l2)


def _validator(job: Job) -> Validate:
    scorer = _scorer(job)
    return lambda candidates: validation_metrics(scorer.score(candidates), job.benchmark.tasks)


class _Recorder(Callback):
    """Keeps status.json and the tables of rows current, and in the checkpoint every random state and how many rows
    there are."""

    def __init__(self, directory: RunDirectory, logger: RunLogger, advance: Callable[[int], None]) -> None:
        self._directory = directory
        self._advance = advance
        self._curves = Rows(directory.path / CURVES, ("step", *CURVE_COLUMNS.values()))
        self._tables = [self._curves] if logger.table is None else [self._curves, logger.table]
        self._kept: dict[str, int] = {}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.is_global_zero:
            for table in self._tables:
                table.cut(self._kept.get(table.file.name, 0))
            self._advance(trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        if trainer.is_global_zero:
            self._append(trainer, "train/")
            self._directory.set_status("running", step=trainer.global_step)
            self._advance(1)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.is_global_zero:
            self._append(trainer, "val/")

    def _append(self, trainer: Trainer, prefix: str) -> None:
        """One row of what was logged under a prefix; to train.csv only what has a column there."""
        logged = {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith(prefix)}
        if not logged:  # nothing was validated
            return
        step = {"step": trainer.global_step}
        own = {column: logged[key] for key, column in CURVE_COLUMNS.items() if key in logged}
        for table, values in zip(self._tables, (own, logged), strict=False):
            table.append({**step, **values})

    def on_save_checkpoint(self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["random_states"] = get_states()
        checkpoint["rows"] = {table.file.name: table.to_disk() for table in self._tables}

    def on_load_checkpoint(self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]) -> None:
        set_states(checkpoint["random_states"])
        self._kept = checkpoint["rows"]


class DurableCheckpointIO(TorchCheckpointIO):
    """Writes beside the last checkpoint, which stays as it is until the new one is on the disk.

    Lightning's own writes to `$TMPDIR`; from another filesystem it copies over the last checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Raises `OSError` where it could not be written; the last checkpoint is what it was then."""
        content = io.BytesIO()  # torch.save would hide why a file cannot be written
        torch.save(checkpoint, content)
        with replacing(Path(path)) as scratch:
            scratch.write_bytes(content.getbuffer())


@dataclass(eq=False)
class StepCheckpoint(Checkpoint):
    """Keeps the last checkpoint, taken when everything of its step is over: where validation is due, after it.

    Lightning's callback takes it before; a training that resumes from there leaves that validation out.
    """

    file: Path
    every_steps: int
    val_every_steps: int | None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if trainer.is_global_zero:
            for partial in self.file.parent.glob(f".{self.file.name}.*"):  # of a fit that was killed
                partial.unlink()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if self.val_every_steps is None or trainer.global_step % self.val_every_steps:
            self._save_if_due(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save_if_due(trainer)

    def _save_if_due(self, trainer: Trainer) -> None:
        if trainer.global_step % self.every_steps == 0:
            trainer.save_checkpoint(self.file)


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
