"""What the open benchmark is: its version, and the hashes that say which items this stands for.

Raise `VERSION` when items change on purpose, and put the new hashes beside it. A published version never changes.
"""

VERSION = "open-v2-alpha7"
FROZEN = {
    "open-v2-alpha7": {
        300: "6590115d70844ddc29e2713a85c637e085c2c7577c921fa82355cd3d54ac2af9",
        6876: "104932be3ad2cc4919d7060859ca326fbcb3e2e566488cf0b61861d23a73367b",
    },
}
"""Version -> number of cases -> SHA-256 of the listing of the benchmark's files, with the usual seed of 0."""
