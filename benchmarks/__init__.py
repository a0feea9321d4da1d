"""Speed and memory against TRL and lm-evaluation-harness: `python -m benchmarks.train`, `.score`, `.growth`, ...

Each prints a table and, with `--json FILE`, writes what it measured. Install `benchmarks/requirements.txt` first.
"""
