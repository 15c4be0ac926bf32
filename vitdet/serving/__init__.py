"""A trained model as a small HTTP service with a page to try it: `vitdet serve`."""
