"""From options to log-likelihoods, and from predictions to metrics."""
