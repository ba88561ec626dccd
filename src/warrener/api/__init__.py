"""Batches from Python: `warrener.run` and `warrener.map`."""
