"""What the open benchmark is: its version, and the hashes that say which items this stands for.

Raise `VERSION` when items change on purpose, and put the new hashes beside it. A published version never changes.
"""

from __future__ import annotations

VERSION = "open-v2-alpha5"
FROZEN = {
    "open-v2-alpha5": {
        300: "4fa30595376f33df33ecb7ecb3a39dce7489b6423700995c0249a18dd59f2004",
        6876: "9b1fa135896f0c0a561d6397ee3425b23f9aa3c24e4224a70409118ae5b33328",
    },
}
"""Version -> number of cases -> SHA-256 of the listing of the benchmark's files, with the usual seed of 0."""
