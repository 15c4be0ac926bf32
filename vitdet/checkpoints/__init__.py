"""Reading and writing checkpoints: weights and data, never code."""
