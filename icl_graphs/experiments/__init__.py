"""Recipes: which task, model, probes and analysis make which figure."""
