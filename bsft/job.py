"""One job: obtain the data, load the backbone, fit if the method asks for it, score, write everything down.

`run_composed` is what Hydra calls; `run` is the same for a validated config.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import seed_everything
from omegaconf import DictConfig
from transformers.utils.logging import disable_progress_bar

from bsft import config as cfg
from bsft.bench.records import Item
from bsft.bench.source import obtain
from bsft.bench.store import BadInput, Benchmark
from bsft.data.datamodule import BehaviorBenchDataModule, select_items
from bsft.data.render import Renderer
from bsft.environment import describe
from bsft.fitting import fit
from bsft.loggers import open_logger
from bsft.methods import Method, choose_exemplars, method_of
from bsft.model.backbone import Backbone, load_backbone
from bsft.runs import ENV, LOG, RunDirectory, identity, write_json
from bsft.scoring.run import score

log = logging.getLogger(__name__)


def run_composed(composed: DictConfig) -> None:
    """Runs the job that a composed config describes, unless it is done; its failure is recorded and raised again.

    Raises:
        BadInput: the config differs from the one that was frozen when the sweep was started.
    """
    config = cfg.validate(composed)
    directory = RunDirectory.of(config)
    frozen = directory.frozen_identity()
    if frozen is None:
        directory.freeze(config)
    elif frozen != identity(config):
        raise BadInput(f"{directory.path}: conf/ changed after this sweep was started; start it again with redo=true")
    if directory.status().state == "done":
        return
    with _run_log(directory.path / LOG):
        try:
            directory.set_status("running")
            metrics = run(config, directory)
        except BaseException as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, KeyboardInterrupt):
                directory.set_status("queued", "interrupted")
            else:
                kind = "" if isinstance(error, BadInput) else f"{type(error).__name__}: "
                directory.set_status("failed", kind + reason)
            log.error("%s", traceback.format_exc())
            raise
        if metrics is not None:
            directory.set_status("done")


def run(config: cfg.Config, directory: RunDirectory) -> dict[str, Any] | None:
    """Fits on all ranks and scores on the first; returns what metrics.json holds, None on the other ranks."""
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    seed_everything(config.seed, verbose=False)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    write_json(directory.path / ENV, describe())
    benchmark = obtain(config.data)
    method = method_of(config.method)
    log.info("job %s", directory.path.name)
    backbone = load_backbone(config.model, method, precision=config.trainer.precision, seed=config.seed)
    batching = config.trainer.batching
    if batching == "tree" and not backbone.supports_trees:
        log.warning("%s has no exchangeable attention; falling back to trainer.batching=flat", config.model.name)
        batching = "flat"
    renderer = _renderer(config, method, backbone, benchmark)
    datamodule = BehaviorBenchDataModule(config, benchmark, renderer, batching=batching)
    with open_logger(config, directory.path) as logger:
        fit_s = fit(config, directory, backbone, datamodule, logger) if method.needs_fit else 0.0
        if torch.distributed.is_initialized() and torch.distributed.get_rank() != 0:
            return None
        backbone.module.to(_device(config)).eval()
        metrics = score(config, directory, backbone, datamodule, fit_s=fit_s)
        logger.summarise(metrics)
    return metrics


def _renderer(config: cfg.Config, method: Method, backbone: Backbone, benchmark: Benchmark) -> Renderer:
    exemplars: list[Item] = []
    if method.n_exemplars:
        data = config.data
        train = select_items(benchmark, data.train_split, data, data.max_train_items)
        exemplars = choose_exemplars(train, method.n_exemplars, config.seed)
    return Renderer(
        backbone.tokenizer,
        method,
        vocabulary=backbone.vocabulary,
        exemplars=exemplars,
        scene_tokens=config.data.scene_tokens,
        max_length_tokens=config.model.max_length_tokens,
    )


def _device(config: cfg.Config) -> torch.device:
    name = config.trainer.accelerator
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput("trainer.accelerator=cuda: no CUDA device is visible; use trainer=cpu")
    return torch.device(name)


@contextmanager
def _run_log(file: Path) -> Iterator[None]:
    """Sends the log of this job, and only of this job, to its own file, warnings and tracebacks included."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("bsft").setLevel(logging.INFO)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        handler.close()
