"""Latency, throughput and memory of a trained model: `vitdet benchmark-model`."""
