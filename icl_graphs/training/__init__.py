"""Training of the small bundled model: data, step, tokenizer, model folder."""
