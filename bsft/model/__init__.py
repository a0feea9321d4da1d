"""Backbones, behaviour tokens, attention and the LightningModule."""
