"""Robust models: an adversary chooses the transitions."""
