"""The audit: can a benchmark be solved without understanding it?

Probes that know no medicine (lengths, places, style, words) try to tell items with a problem from their clean twins,
and right options from wrong ones. What may tell nothing is limited; what may (words and numbers of the scene) is
reported. Structure, duplicates across splits, the complaint alone and naturalness stand beside them. The limits are in
`limits.py`. Reads any benchmark on disk, whoever made it; knows nothing of tokens or of models, and imports no torch.
"""
