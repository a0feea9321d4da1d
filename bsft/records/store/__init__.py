"""Benchmarks on disk: a directory with `manifest.json` and JSONL files, or JSONL files alone.

Whatever it is, it goes the same way: every line is checked once (`opening`), which leaves an index of small arrays
(`index`); items are read from their file when they are asked for. A large index is kept in the cache under the
content's hash: content is checked once, and never trusted after a change.
"""

from bsft.records.store.index import Head
from bsft.records.store.opening import Benchmark, Items, open_benchmark, read_items
from bsft.records.store.writing import MANIFEST, check_replaceable, line_of, write_benchmark, write_manifest
