"""One training step of the real model classes on tensors without data: memory without a GPU."""
