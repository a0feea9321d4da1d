"""The clinical case bank: conditions and reference values as reviewable YAML, and the schema they must satisfy."""
