"""Recipes of "ICLR: In-Context Learning of Representations" and follow-ups."""
