"""C++ for CPUs that multiply bf16 numbers, compiled on first use: tree attention, norms, activations, label loss."""
