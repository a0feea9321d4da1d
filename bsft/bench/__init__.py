"""What makes BehaviorBench-Open: the case bank, the simulator, scenes, problems, tasks with their oracles, splits and
the build.

Knows nothing of other people's formats, of tokens or of models, and imports no torch.
"""
