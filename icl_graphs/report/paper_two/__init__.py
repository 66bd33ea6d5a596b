"""Figures of the recipes of paper two."""
