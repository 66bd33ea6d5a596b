"""Which axis of which parameter is cut among the devices of a model.

The usual division of a transformer (arXiv 1909.08053): a block's first products
are cut along what they write, its last ones along what they read, so that
devices meet twice per block, to add hidden states.
"""

import re

from icl_graphs import errors
from icl_graphs.models import config as config_lib

# Parameters by the end of their path, and their axes after that of the layers.
# What is not listed (norms, biases of outputs, positions) is on every device.
AXES = (
  ("embedding", "vocabulary width"),
  ("query/kernel", "width heads head_size"),
  ("query/bias", "heads head_size"),
  ("(key|value)/kernel", "width kv_heads head_size"),
  ("(key|value)/bias", "kv_heads head_size"),
  ("attention/output/kernel", "heads head_size width"),
  ("(up|gate)/kernel", "width mlp"),
  ("(up|gate)/bias", "mlp"),
  ("down/kernel", "mlp width"),
)
# Key/value heads that do not divide are on every device; the others have to.
OVER_MODEL = ("vocabulary", "heads", "mlp", "kv_heads")


def spec(
  path: str, shape: tuple[int, ...], model: int
) -> tuple[str | None, ...]:
  """By axis, "model" where a parameter is cut; empty where it is not.

  Args:
    path: names joined by "/".
    shape: with the axis of the layers, where it has one.
    model: devices that share one copy.
  """
  if model == 1:
    return ()
  for pattern, axes in AXES:
    if re.search(f"{pattern}$", path):
      names = axes.split()
      first = len(shape) - len(names)
      cut = (
        "model" if name in OVER_MODEL and size % model == 0 else None
        for name, size in zip(names, shape[first:], strict=True)
      )
      return (None,) * first + tuple(cut)
  return ()


def check(config: config_lib.DecoderConfig, model: int) -> None:
  """Refuses a model whose parameters cannot be cut.

  Raises:
    errors.InputError: naming what does not divide.
  """
  sizes = {
    "attention heads": config.num_heads,
    "entries of the MLP": config.mlp_size,
    "tokens of the vocabulary": config.vocab_size,
  }
  odd = [f"{size} {name}" for name, size in sizes.items() if size % model]
  if odd:
    raise errors.InputError(
      f"{' and '.join(odd)} cannot be divided among {model} devices; change"
      " model:... of --mesh"
    )
