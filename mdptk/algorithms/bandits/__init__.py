"""Bandits: one state, rewards that are drawn, and nothing to plan."""
