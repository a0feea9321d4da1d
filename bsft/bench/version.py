"""What the open benchmark is: its version, and the hashes that say which items this stands for.

Raise `VERSION` when items change on purpose, and put the new hashes beside it. A published version never changes.
"""

from __future__ import annotations

VERSION = "open-v2-alpha5"
FROZEN = {
    "open-v2-alpha5": {
        300: "d99e3dae64cb0142bb149a49665b966c093d396f761dfa312ddb6d2431cfbf2c",
        6876: "0aa4481839e0a025d4d0bf995913cb36b1042a3083f00dde4dc02d629a01fada",
    },
}
"""Version -> number of cases -> SHA-256 of the listing of the benchmark's files, with the usual seed of 0."""
