"""What the open benchmark is: its version, and the hashes that say which items this stands for.

Raise `VERSION` when items change on purpose, and put the new hashes beside it. A published version never changes.
"""

from __future__ import annotations

VERSION = "open-v2-alpha3"
FROZEN = {
    "open-v2-alpha3": {
        300: "b251b428a5cf444ab5a42eedc4c587dd645a2a2773023e325afcf33e6b2856d4",
        6876: "b49b504695f31177b8e276379d68ee82a477ef9556169ca1b262db98ef84ea24",
    },
}
"""Version -> number of cases -> SHA-256 of the listing of the benchmark's files, with the usual seed of 0."""
