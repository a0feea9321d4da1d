"""A run on disk: what determines its result, its directory, its state, and when it is done.

Knows nothing of fitting, scoring or reports.
"""
