"""What the open benchmark is: its version, and the hashes that say which items this stands for.

Raise `VERSION` when items change on purpose, and put the new hashes beside it. A published version never changes.
"""

from __future__ import annotations

VERSION = "open-v2-alpha3"
FROZEN = {
    "open-v2-alpha3": {
        300: "a13a87a678302bb7ec969a73d0a8a1346a33415efeccd6eadbfb7aded19c812f",
        6876: "6e8a96645f9c5bc55c60583285e1d570a38ec2776a849b3fe60cbbd56300ba5a",
    },
}
"""Version -> number of cases -> SHA-256 of the listing of the benchmark's files, with the usual seed of 0."""
