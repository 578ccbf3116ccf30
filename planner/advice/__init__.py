"""Decisions: which method, which settings, which card. Each returns its reason."""
