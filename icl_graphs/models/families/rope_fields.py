"""Reads RoPE parameters in the old and in the new form of `config.json`.

Old: `rope_theta` and `rope_scaling` side by side. New: one `rope_parameters`.
Names, defaults and formulas are those of transformers' modeling_rope_utils.
"""

import math
from typing import Any

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib


def read(
  fields: fields_lib.Fields,
  max_positions: int,
  **options: Any,
) -> config_lib.Rope:
  """RoPE of a model that has one kind for all layers.

  Args:
    fields: of the whole configuration.
    max_positions: see `parse`.
    **options: see `parse`.

  Raises:
    errors.InputError: unknown type (named), unknown or wrong parameter, or
      forms that contradict each other.
  """
  old = fields.table("rope_scaling")
  new = fields.table("rope_parameters")
  if old and new and old != new:
    raise errors.InputError(
      "config.json: rope_scaling and rope_parameters contradict each other;"
      " keep one"
    )
  where = "rope_parameters" if new else "rope_scaling"
  inner = fields_lib.Fields(new or old, f"config.json: {where}")
  return parse(inner, fields, max_positions, **options)


def parse(
  inner: fields_lib.Fields,
  fields: fields_lib.Fields,
  max_positions: int,
  *,
  theta_name: str = "rope_theta",
  theta: float = config_lib.Rope.theta,
  rotated: float | None = None,
  original: int | None = None,
  aliases: dict[str, str] | None = None,
) -> config_lib.Rope:
  """RoPE from the object that describes it, all of whose fields are read.

  Args:
    inner: `rope_scaling`, or (a part of) `rope_parameters`.
    fields: of the whole configuration.
    max_positions: of the model; stands in for a missing original length.
    theta_name: what the base is called outside of the object.
    theta: base where there is none.
    rotated: share of a head that rotates, where the object does not say; None
      in families that always rotate the whole head.
    original: original length, in families that keep it outside of the object.
    aliases: further names of types.

  Raises:
    errors.InputError: as `read`.
  """
  kind = inner.get("rope_type", inner.get("type", "default"))
  if isinstance(kind, str):
    kind = (aliases or {}).get(kind, kind)
  if kind == "dynamic":
    raise errors.InputError(
      "config.json: RoPE type 'dynamic' is not supported: its frequencies"
      " depend on the length of the whole prompt, so that one pass cannot"
      " contain every shorter context"
    )
  if kind not in config_lib.ROPE_KINDS:
    raise errors.InputError(
      f"config.json: RoPE type {kind!r} is not supported; supported:"
      f" {', '.join(config_lib.ROPE_KINDS)}"
    )
  outside = fields.number(theta_name, theta)
  parameters = {"kind": kind, "theta": inner.number("rope_theta", outside)}
  if fields.get(theta_name) is not None and parameters["theta"] != outside:
    raise errors.InputError(
      f"config.json: {theta_name} is {outside} and, among the RoPE parameters,"
      f" {parameters['theta']}; keep one"
    )
  if rotated is None:
    inner.only("partial_rotary_factor", 1.0, 1, None)
  else:
    parameters["rotated"] = inner.number("partial_rotary_factor", rotated)
  if kind in ("llama3", "yarn", "longrope"):
    length = inner.integer(
      "original_max_position_embeddings", original or max_positions
    )
    # Its logarithm is taken.
    if length < 2 or (original is not None and length != original):
      raise errors.InputError(
        "config.json: original_max_position_embeddings is"
        f" {length} among the RoPE parameters"
        + (f", and {original} beside them" if original else "")
        + "; correct it"
      )
    parameters["original_positions"] = length
  if kind in ("linear", "llama3"):
    parameters["factor"] = inner.number("factor")
  if kind == "llama3":
    for name in ("low_freq_factor", "high_freq_factor"):
      parameters[name] = inner.number(name)
  if kind == "yarn":
    parameters |= _yarn(inner)
  if kind == "longrope":
    parameters |= _longrope(inner, max_positions / length, length)
  inner.finish()
  return config_lib.Rope(**parameters)


def _yarn(inner: fields_lib.Fields) -> dict[str, Any]:
  factor = inner.positive("factor")

  def magnitude(weight):
    return 0.1 * weight * math.log(factor) + 1 if factor > 1 else 1.0

  attention_factor = magnitude(1.0)
  if inner.get("mscale") and inner.get("mscale_all_dim"):
    attention_factor = magnitude(inner.positive("mscale")) / magnitude(
      inner.positive("mscale_all_dim")
    )
  return {
    "factor": factor,
    "attention_factor": inner.number("attention_factor", attention_factor),
    # Zero counts as absent.
    "beta_fast": inner.number("beta_fast", 32.0) or 32.0,
    "beta_slow": inner.number("beta_slow", 1.0) or 1.0,
    "truncate": inner.boolean("truncate", True),
  }


def _longrope(
  inner: fields_lib.Fields, stretch: float, length: int
) -> dict[str, Any]:
  factor = inner.number("factor", stretch)
  attention_factor = 1.0
  if factor > 1:
    attention_factor = math.sqrt(1 + math.log(factor) / math.log(length))
  return {
    "attention_factor": inner.number("attention_factor", attention_factor),
    "short_factors": inner.numbers("short_factor"),
    "long_factors": inner.numbers("long_factor"),
  }
