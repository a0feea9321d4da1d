"""What every room may know: the records of a benchmark and their store on disk, what a user is told when something is
wrong, files that are written whole or not at all, the one reader of text that nobody vouches for, names that are safe
as a path.

Knows nothing of how items are made, of models or of results, and imports no torch.
"""
