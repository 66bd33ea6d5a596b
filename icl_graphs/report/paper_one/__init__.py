"""Figures of the recipes of paper one."""
