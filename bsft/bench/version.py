"""What the open benchmark is: its version, and the hashes that say which items this stands for.

Raise `VERSION` when items change on purpose, and put the new hashes beside it. A published version never changes.
"""

from __future__ import annotations

VERSION = "open-v2-alpha6"
FROZEN = {
    "open-v2-alpha6": {
        300: "909d98d8dd0a782a099ea833007928b52bc4bea8610a5fc9c9a6e2b02fd6c329",
        6876: "c61626529721e0ef74530fe9607db195d3d49311f774f6e9278b87db8e53d060",
    },
}
"""Version -> number of cases -> SHA-256 of the listing of the benchmark's files, with the usual seed of 0."""
