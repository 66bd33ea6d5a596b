"""Recipes of "In-Context Learning Dynamics with Random Binary Sequences"."""
