"""Makes models cheaper before they become hardware: quantization, pruning, distillation."""
