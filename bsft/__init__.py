"""bsft: behaviour-token conditioning for clinical language models.

What Python programs may rely on is imported from here, and loaded when it is asked for: `Benchmark`, `load_run`,
`evaluate`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bsft.api import evaluate, load_run
    from bsft.records.store import Benchmark

__version__ = "0.1.0"
__all__ = ["Benchmark", "__version__", "evaluate", "load_run"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from bsft import api

        return getattr(api, name)
    raise AttributeError(f"module 'bsft' has no attribute {name!r}")
