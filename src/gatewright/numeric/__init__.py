"""Fixed-point types, their casts, and the tensors that have them."""
