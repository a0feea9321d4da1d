"""Other people's cases, items and free text, read as their authors publish them and turned into our records.

Knows nothing of tokens or of models, and imports no torch.
"""
