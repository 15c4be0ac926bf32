"""What goes on inside a model, and what it gets wrong, as pictures."""
