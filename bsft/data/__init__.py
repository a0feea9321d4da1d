"""From items to token ids and batches: which benchmark, which items, how they are rendered, prefix trees, steps.

Knows nothing of models: a batch holds tensors and a `PrefixTree`, and what reads them is not its business.
"""
