"""Whom do we ask: decoders, their checkpoints and where those come from."""
