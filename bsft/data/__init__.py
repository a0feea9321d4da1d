"""From items to token ids and batches."""
