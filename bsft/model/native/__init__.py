"""Tree attention, norms and gated activations in C++ for CPUs that multiply bf16 numbers, compiled on first use."""
