"""Watches a Keras model while it trains: which layer runs out of range, why, what to change."""
