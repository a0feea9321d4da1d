"""Fitting a backbone with Lightning: progress, checkpoints, validation, resumption."""

from __future__ import annotations

import logging
import pickle
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.strategies import Strategy
from safetensors import SafetensorError

from bsft import config as cfg
from bsft.bench.store import BadInput
from bsft.data.datamodule import BehaviorBenchDataModule
from bsft.data.render import Candidates
from bsft.loggers import CurveWriter, RunLogger
from bsft.model.attention import NAME
from bsft.model.backbone import Backbone
from bsft.model.module import BehaviorLM
from bsft.model.sharding import ShardedStrategy
from bsft.progress import progress_bar
from bsft.randomness import get_states, set_states
from bsft.records.files import write_atomically
from bsft.runs import RunDirectory
from bsft.scoring.choices import OptionScorer
from bsft.scoring.evaluation import validation_metrics

log = logging.getLogger(__name__)
LAST = "last"
COMPLETE = "complete"
"""Marks an adapter directory that was written to its end; holds the seconds that fitting took."""


def fit(
    config: cfg.Config,
    directory: RunDirectory,
    backbone: Backbone,
    datamodule: BehaviorBenchDataModule,
    logger: RunLogger,
) -> float:
    """Fits the backbone's trainable parameters and writes `adapter/`; resumes from the last checkpoint.

    With `trainer.strategy=fsdp` the backbone is of no use after it: its layers are spread over the processes.

    Returns:
        Seconds it took (of the last attempt, where it was interrupted).

    Raises:
        BadInput: a damaged checkpoint, or a loss that is not finite.
    """
    adapter = directory.path / "adapter"
    if (adapter / COMPLETE).exists():
        backbone.load_adapter(adapter)
        return float((adapter / COMPLETE).read_text(encoding="utf-8"))
    start = time.monotonic()
    recipe = config.trainer.fit
    datamodule.setup("fit")
    n_steps = len(datamodule.plan)
    module = BehaviorLM(
        backbone,
        recipe,
        n_steps=n_steps,
        attention=NAME if datamodule.batching == "tree" else backbone.attention,
        row_lr=config.method.behavior.row_lr if isinstance(config.method, cfg.BehaviorSftConfig) else None,
        validate=_validator(config, backbone, datamodule),
    )
    checkpoints = directory.path / "checkpoints"
    with progress_bar(f"fitting {directory.path.name}", n_steps) as advance:
        trainer = _trainer(config, n_steps, logger, _callbacks(recipe, checkpoints, directory, advance), directory)
        _run_or_resume(trainer, module, datamodule, checkpoints / f"{LAST}.ckpt")
    fit_s = time.monotonic() - start
    if trainer.is_global_zero:
        try:
            backbone.save_adapter(adapter, module.trained_state)
        except (OSError, SafetensorError) as error:
            raise BadInput(f"{adapter}: could not be written: {error}; the same command goes on from here") from error
        write_atomically(adapter / COMPLETE, str(fit_s))
    trainer.strategy.barrier()
    return fit_s


def _trainer(
    config: cfg.Config, n_steps: int, logger: RunLogger, callbacks: list[Callback], directory: RunDirectory
) -> Trainer:
    recipe = config.trainer.fit
    return Trainer(
        accelerator=config.trainer.accelerator,
        devices=config.trainer.devices,
        num_nodes=config.trainer.num_nodes,
        strategy=_strategy(config.trainer.strategy),
        precision=config.trainer.precision,  # type: ignore[arg-type]
        max_epochs=1,
        max_steps=n_steps,
        val_check_interval=recipe.val_every_steps,
        limit_val_batches=1.0 if recipe.val_every_steps else 0,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=logger.lightning if logger.lightning is not None else False,
        callbacks=callbacks,
        plugins=[SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else None,
        enable_model_summary=False,
        enable_progress_bar=False,
        use_distributed_sampler=False,
        default_root_dir=str(directory.path),
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


def _strategy(name: str) -> str | Strategy:
    if name == "fsdp":
        return ShardedStrategy()
    return "ddp_find_unused_parameters_false" if name == "ddp" else name


def _callbacks(
    recipe: cfg.FitConfig, checkpoints: Path, directory: RunDirectory, advance: Callable[[int], None]
) -> list[Callback]:
    callbacks: list[Callback] = [
        ModelCheckpoint(
            checkpoints,
            filename=LAST,
            every_n_train_steps=recipe.checkpoint_every_steps,
            save_top_k=1,
            enable_version_counter=False,
        ),
        _Recorder(directory, advance),
    ]
    if recipe.patience is not None:
        callbacks.append(EarlyStopping("val/macro_f1", mode="max", patience=recipe.patience))
    return callbacks


def _validator(config: cfg.Config, backbone: Backbone, datamodule: BehaviorBenchDataModule) -> Any:
    scorer = OptionScorer(
        backbone,
        batching=datamodule.batching,
        batch_tokens=config.trainer.score.batch_tokens,
        shared_prefix=(),
    )

    def validate(candidates: list[Candidates]) -> dict[str, float]:
        return validation_metrics(list(scorer.score(candidates)), datamodule.benchmark.tasks)

    return validate


class _Recorder(Callback):
    """Keeps status.json and train.csv current, and every random state in the checkpoint."""

    def __init__(self, directory: RunDirectory, advance: Callable[[int], None]) -> None:
        self._directory = directory
        self._advance = advance
        self._curves: CurveWriter | None = None

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.is_global_zero:
            self._curves = CurveWriter(self._directory.path, trainer.global_step)
            self._advance(trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        if self._curves is not None:
            logged = trainer.callback_metrics
            self._curves.write(step=trainer.global_step, loss=float(logged["train/loss"]), lr=float(logged["train/lr"]))
            self._directory.set_status("running", step=trainer.global_step)
            self._advance(1)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        value = trainer.callback_metrics.get("val/macro_f1")
        if self._curves is not None and value is not None:
            self._curves.write(step=trainer.global_step, val_macro_f1=float(value))

    def on_save_checkpoint(self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["random_states"] = get_states()

    def on_load_checkpoint(self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]) -> None:
        set_states(checkpoint["random_states"])
