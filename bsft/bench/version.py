"""What the open benchmark is: its version, and the hashes that say which items this stands for.

Raise `VERSION` when items change on purpose, and put the new hashes beside it. A published version never changes.
"""

from __future__ import annotations

VERSION = "open-v1"
FROZEN = {
    "open-v1": {
        300: "4efe4a2cb9ee6162220d61b4a206949f60fffb85ec941ab1797d0992cdce98ec",
        6876: "3f0d3f4b2a9a96bebee3bdb01b6a472cbf3e700e649c968b2d515b8b54938743",
    },
}
"""Version -> number of cases -> SHA-256 of the listing of the benchmark's files, with the usual seed of 0."""
