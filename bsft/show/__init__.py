"""An item as a person reads it: its scene, figures, options and tokens.

Knows nothing of runs or results.
"""
