"""bsft: behaviour-token conditioning for clinical language models."""

__version__ = "0.1.0"
