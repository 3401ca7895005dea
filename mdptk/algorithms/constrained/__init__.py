"""Constrained methods: primal-dual, and what else meets a budget."""
