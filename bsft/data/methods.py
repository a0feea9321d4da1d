"""The methods as small objects. What distinguishes one from another is said here and in its YAML, nowhere else."""

from dataclasses import dataclass

from bsft import config as cfg


@dataclass(frozen=True)
class Method:
    """What a method tells the model, whether it is fitted, its behaviour policy (None: no behaviour tokens), and the
    penalty of its detector (None: it has none)."""

    name: str
    system_prompt: str
    n_exemplars: int = 0
    sft: cfg.SftConfig | None = None
    behavior: cfg.BehaviorConfig | None = None
    detector_l2: float | None = None

    @property
    def needs_fit(self) -> bool:
        return self.sft is not None


def method_of(config: cfg.MethodConfig) -> Method:
    """The method that a config describes."""
    match config:
        case cfg.BehaviorSftConfig():
            return Method(config.name, config.system_prompt, sft=config, behavior=config.behavior)
        case cfg.ClassifierConfig():
            return Method(config.name, config.system_prompt, sft=config, detector_l2=config.l2)
        case cfg.SftConfig():
            return Method(config.name, config.system_prompt, sft=config)
        case cfg.FewShotConfig():
            return Method(config.name, config.system_prompt, n_exemplars=config.k)
        case cfg.InstructedConfig():
            return Method(config.name, f"{config.system_prompt} {config.instruction}")
        case _:
            return Method(config.name, config.system_prompt)
