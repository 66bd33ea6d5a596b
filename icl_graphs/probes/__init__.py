"""What is written down while the model thinks: reductions of its activations."""
