"""What is written down while the model thinks: reduced activations."""
