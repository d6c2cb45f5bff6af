"""What makes models cheaper before they become hardware: quantization, pruning, distillation."""
