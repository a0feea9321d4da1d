"""From options to log-likelihoods, from predictions to metrics, and from metrics to the typed `Result` of a run.

Knows nothing of fitting or of reports.
"""
