"""A design: kernels joined by tensors, and the golden outputs that it computes."""
