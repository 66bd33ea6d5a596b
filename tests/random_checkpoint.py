"""Random checkpoints of any size, with a tokenizer."""

import pathlib
from typing import Any

from icl_graphs.experiments.speed import random_checkpoint, shapes
from icl_graphs.models import families
from icl_graphs.tasks import words
from icl_graphs.training import tokenizer

LLAMA_3_2_1B = shapes.SHAPES["llama-3.2-1b"]


def write(folder: pathlib.Path, hf_config: dict[str, Any], seed: int = 0):
  """Writes a bfloat16 model with a tokenizer that knows the packaged words.

  Args:
    folder: created if absent.
    hf_config: content of config.json.
    seed: of the weights.
  """
  folder = pathlib.Path(folder)
  random_checkpoint.write(folder, hf_config, seed)
  known = words.concept_words("paper30+nouns")
  tokenizer.save(folder, known, families.translate(hf_config).max_positions)
