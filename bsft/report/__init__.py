"""Finished runs as a person reads them: sweeps, their tables, figures and the page.

Reads what runs left on disk; knows nothing of models, and imports no torch.
"""
