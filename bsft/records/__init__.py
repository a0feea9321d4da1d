"""What every room may know: what a user is told, files that are written whole or not at all, text that nobody vouches
for, names that are safe as a path. Imports nothing else of bsft, and no torch.
"""
