"""Many contexts that begin alike are read in one pass over what they share.

The trunk of every group of contexts is read once and its keys and values are
kept; branches are read in a second pass, or in a few (`models.branches`).
Positions and attention are those of each context read alone.

Legend: as in `prefix_plan`; S sets of tokens, k tokens.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from icl_graphs import errors
from icl_graphs.engine import prefix_plan
from icl_graphs.models import branches, decoder
from icl_graphs.models import cache as cache_lib
from icl_graphs.models import config as config_lib
from icl_graphs.probes import masses, readout

Params = Any
Passes = tuple[prefix_plan.Pass, ...]


def check(config: config_lib.DecoderConfig, planned: prefix_plan.Plan) -> None:
  """Refuses contexts that the model cannot read, or not in one pass.

  Raises:
    errors.InputError: naming the limit.
  """
  longest = 1 + max(
    planned.rows.trunk.shape[1] - 1, planned.rows.places.position.max()
  )
  if longest > config.max_positions:
    raise errors.InputError(
      f"a context of {longest} tokens exceeds the {config.max_positions}"
      " positions of the model; read fewer flips"
    )
  for rope in (config.rope, config.local_rope):
    if rope and rope.kind == "longrope" and longest > rope.original_positions:
      raise errors.InputError(
        f"this model turns positions differently in contexts of more than"
        f" {rope.original_positions} tokens, so that one of {longest} cannot"
        " share what shorter ones read; read fewer flips"
      )


def hidden(
  params: Params,
  config: config_lib.DecoderConfig,
  rows: prefix_plan.Rows,
  passes: Passes = (),
) -> Float[Array, "R Q D"]:
  """Hidden states after the final norm at the last token of every context.

  Arguments as for `log_masses`.
  """
  model = decoder.Decoder(config)
  variables = {"params": params}
  groups, length = rows.trunk.shape
  # Only models that `check` may refuse ask how long contexts become.
  final, _, read = model.apply(
    variables,
    rows.trunk,
    jnp.full((groups,), length, jnp.int32),
    method="prefill",
  )
  found = [final]
  for first, stop, slots in passes or (
    prefix_plan.Pass(0, rows.tokens.shape[1], length),
  ):
    tokens, places = jax.tree.map(
      lambda leaf, first=first, stop=stop: leaf[:, first:stop],
      (rows.tokens, rows.places),
    )
    trunk = cache_lib.Prefix(
      read.key[:, :, :slots], read.value[:, :, :slots], read.length
    )
    branched, _ = model.apply(
      variables,
      tokens.reshape(-1, tokens.shape[2]),
      branches.Branches(trunk, places),
      length,
      method="branch",
    )
    found.append(branched.reshape(groups, -1, final.shape[-1]))
  every = jnp.concatenate(found, axis=1)
  return jnp.take_along_axis(every, rows.reads[..., None], axis=1)


def log_masses(
  params: Params,
  fixed: Any,
  rows: prefix_plan.Rows,
  valid: Bool[Array, " R"],
  *,
  config: config_lib.DecoderConfig,
  sets: masses.Sets,
  passes: Passes = (),
) -> tuple[tuple[()], Float[Array, "R Q S"]]:
  """Log-probabilities of sets of next tokens; a step for `rows.evaluate`.

  Args:
    params: decoder parameters.
    fixed: unused.
    rows: of a plan that `check` accepts.
    valid: unused: rows do not depend on each other.
    config: of the decoder.
    sets: disjoint sets of token ids, accepted by `masses.check`.
    passes: of the plan; without, one that looks at the whole trunk.

  Returns:
    Nothing that adds over rows, and log-probabilities in float32.
  """
  del fixed, valid
  found = masses.log_masses(
    hidden(params, config, rows, passes),
    decoder.unembedding(params, config),
    sets,
    softcap=config.logit_softcap,
    backend=config.backend,
  )
  return (), found


def most_likely(
  params: Params,
  fixed: Any,
  rows: prefix_plan.Rows,
  valid: Bool[Array, " R"],
  *,
  config: config_lib.DecoderConfig,
  count: int,
  passes: Passes = (),
) -> tuple[tuple[()], tuple[Int[Array, "R Q k"], Float[Array, "R Q k"]]]:
  """The `count` likeliest next tokens and their log-probabilities; a step.

  For rules that look at the texts of tokens; otherwise as `log_masses`.
  """
  del fixed, valid
  return (), readout.most_likely(
    hidden(params, config, rows, passes),
    decoder.unembedding(params, config),
    count,
    softcap=config.logit_softcap,
    backend=config.backend,
  )
