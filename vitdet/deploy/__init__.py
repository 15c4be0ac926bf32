"""Trained models for other runtimes: written, checked, and run without torch."""
