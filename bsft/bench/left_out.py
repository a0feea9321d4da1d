"""Why something is not made of a case, and how often."""

from dataclasses import dataclass, field


class LeftOut(Exception):
    """Something cannot be made of a case, which lacks what it takes; the message says what."""


@dataclass
class Reasons:
    """Why cases were left out: task, or task and label -> reason -> cases."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, what: str, reason: LeftOut) -> None:
        of_this = self.counts.setdefault(what, {})
        of_this[str(reason)] = of_this.get(str(reason), 0) + 1
