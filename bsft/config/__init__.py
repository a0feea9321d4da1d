"""The configuration: one dataclass per group option, registered as Hydra schemas, and frozen once it is checked.

Knows nothing of what is done with a config, and imports no torch, so that help, completion and every config error
answer at once.
"""

from bsft.config.base import ConfigError, Section, did_you_mean, one_of
from bsft.config.data import DataConfig, JsonlConfig, MedErrBenchConfig, OpenBenchConfig
from bsft.config.job import SCHEMAS, Config, LoggerConfig, plain, recomposed, register, validate, without_hydra
from bsft.config.method import (
    SYSTEM_PROMPT,
    BaselineConfig,
    BehaviorConfig,
    BehaviorSftConfig,
    ClassifierConfig,
    FewShotConfig,
    InstructedConfig,
    LoraConfig,
    MethodConfig,
    SftConfig,
)
from bsft.config.model import DEFAULT_DATE, ModelConfig
from bsft.config.trainer import FitConfig, OptimConfig, ScoreConfig, TrainerConfig
