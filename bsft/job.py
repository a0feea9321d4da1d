"""One job: obtain the data, load the backbone, fit if the method asks for it, score, write everything down.

`run_composed` is what Hydra calls; `run` is the same for a validated config.
"""

from __future__ import annotations

import logging
import resource
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import seed_everything
from omegaconf import DictConfig

from bsft import config as cfg
from bsft.bench.records import Item
from bsft.bench.source import obtain
from bsft.bench.store import BadInput, Benchmark
from bsft.data.datamodule import BehaviorBenchDataModule, select_items
from bsft.data.render import Renderer
from bsft.environment import describe
from bsft.fitting import fit
from bsft.loggers import RunLogger, open_logger
from bsft.methods import Method, choose_exemplars, method_of
from bsft.model.backbone import Backbone, load_backbone
from bsft.progress import progress_bar
from bsft.runs import ENV, LOG, METRICS, PREDICTIONS, RunDirectory, identity, write_json
from bsft.scoring.choices import OptionScorer, Scored
from bsft.scoring.evaluation import ALL_CONTEXTS, Evaluation, write_predictions
from bsft.scoring.policies import label_counts

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
            run(config, directory)
        except BaseException as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, KeyboardInterrupt):
                directory.set_status("queued", "interrupted")
            else:
                kind = "" if isinstance(error, BadInput) else f"{type(error).__name__}: "
                directory.set_status("failed", kind + reason)
            log.error("%s", traceback.format_exc())
            raise
        directory.set_status("done")


def run(config: cfg.Config, directory: RunDirectory) -> dict[str, Any]:
    """Fits and scores; returns what metrics.json holds."""
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    seed_everything(config.seed, verbose=False)
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
        fit_s = 0.0
        if method.needs_fit:
            start = time.monotonic()
            fit(config, directory, backbone, datamodule, logger)
            fit_s = time.monotonic() - start
        return _score(config, directory, backbone, datamodule, logger, fit_s)


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


def _score(
    config: cfg.Config,
    directory: RunDirectory,
    backbone: Backbone,
    datamodule: BehaviorBenchDataModule,
    logger: RunLogger,
    fit_s: float,
) -> dict[str, Any]:
    data, score = config.data, config.trainer.score
    start = time.monotonic()
    candidates = datamodule.candidates(data.eval_split, score.max_items or data.max_eval_items)
    device = _device(config)
    backbone.module.to(device).eval()
    scorer = OptionScorer(
        backbone,
        batching=datamodule.batching,
        batch_tokens=score.batch_tokens,
        shared_prefix=datamodule.renderer.shared_prefix(),
    )
    method = config.method
    behavior = method.behavior if isinstance(method, cfg.BehaviorSftConfig) else None
    contexts = ALL_CONTEXTS if behavior is not None else None
    with progress_bar(f"scoring {directory.path.name}", len(candidates)) as advance:
        scored = list(scorer.score(candidates, contexts, advance))
    score_s = time.monotonic() - start
    train = select_items(datamodule.benchmark, data.train_split, data, data.max_train_items)
    arm = "none" if behavior is None else {"predict": "predicted", "force": "forced", "none": "none"}[behavior.mode]
    evaluation = Evaluation(
        datamodule.benchmark.tasks,
        arm=arm,
        forced=behavior.token if behavior is not None else None,  # type: ignore[arg-type]
        train_labels=label_counts(train),
        bootstrap_samples=score.bootstrap_samples,
    )
    metrics = {
        "schema": 1,
        "method": config.method.name,
        "model": config.model.name,
        "data": data.name,
        "split": data.eval_split,
        "seed": config.seed,
        **evaluation.metrics(scored),
        "generation": None,
        "cost": {
            "fit_s": round(fit_s, 1),
            "score_s": round(score_s, 1),
            "tokens": _distinct_tokens(scored),
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
    }
    where = directory.path / "scores" / f"{data.name}-{data.eval_split}"
    lines = evaluation.predictions(scored, {})
    for target in (where, directory.path):
        write_predictions(target / PREDICTIONS, lines)
        write_json(target / METRICS, metrics)
    logger.summarise(metrics)
    log.info("macro-F1 %.3f over %d items", metrics["overall"]["macro_f1"], metrics["n"])
    return metrics


def _distinct_tokens(scored: list[Scored]) -> int:
    """Tokens of all prompts and options, each prompt counted once."""
    return sum(len(s.candidates.prompt_ids) + sum(map(len, s.candidates.option_ids)) for s in scored)


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
