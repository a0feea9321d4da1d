"""The causal LM under every method, its behaviour tokens and adapters, its attention and the LightningModule.

Knows nothing of items, runs or results.
"""
