"""The audit: can a benchmark be solved without understanding it?

Probes that know no medicine (lengths, positions, word and character counts) try to tell items with a problem from
their clean twins, and right options from wrong ones; structure, duplicates across splits and naive policies are checked
beside them. The limits are in `limits.py`. Reads any benchmark on disk, whoever made it; knows nothing of tokens or of
models, and imports no torch.
"""
