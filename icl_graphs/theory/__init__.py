"""What should we have seen? Predictions to hold observations against."""
