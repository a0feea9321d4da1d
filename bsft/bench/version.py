"""What the open benchmark is: its version, and the hashes that say which items this stands for.

Raise `VERSION` when items change on purpose, and put the new hashes beside it. A published version never changes.
"""

from __future__ import annotations

VERSION = "open-v2-alpha1"
FROZEN = {
    "open-v2-alpha1": {
        300: "3c7d5b301f927a7ded0761e3eb187c567e3da3d6e9de92c651a3fc97769d228b",
        6876: "e6f868e7f15ec96df6e7bf87c6f4dfb92ca6318b4aa9480dd16f3334af6c703b",
    },
}
"""Version -> number of cases -> SHA-256 of the listing of the benchmark's files, with the usual seed of 0."""
