"""What do we ask? Graphs, walks over them, words, and prompts made of them."""
