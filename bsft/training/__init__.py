"""One job from start to end: the fit with its checkpoints, logs and random states, and after it the scores.

Knows nothing of sweeps, of Hydra or of reports.
"""
