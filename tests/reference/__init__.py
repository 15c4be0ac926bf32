"""Golden numbers of the reference implementations, and how to rebuild what they were made from."""
