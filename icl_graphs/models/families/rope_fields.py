"""Reads RoPE parameters in the old and in the new form of `config.json`.

Old: `rope_theta` and `rope_scaling` side by side. New: one `rope_parameters`.
"""

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib


def read(fields: fields_lib.Fields, max_positions: int) -> config_lib.Rope:
  """RoPE of a model that has one kind for all layers.

  Args:
    fields: of the whole configuration.
    max_positions: stands in for a missing original context length, as in
      transformers.

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
  theta = fields.number("rope_theta", config_lib.Rope.theta)
  explicit = inner.number("rope_theta", theta)
  if fields.get("rope_theta") is not None and explicit != theta:
    raise errors.InputError(
      f"config.json: rope_theta is {theta} and, in {where}, {explicit}; keep"
      " one"
    )
  kind = inner.get("rope_type", inner.get("type", "default"))
  if kind not in config_lib.ROPE_KINDS:
    raise errors.InputError(
      f"config.json: RoPE type {kind!r} is not supported; supported:"
      f" {', '.join(config_lib.ROPE_KINDS)}"
    )
  inner.only("partial_rotary_factor", 1.0, 1, None)
  parameters = {"kind": kind, "theta": explicit}
  if kind != "default":
    parameters["factor"] = inner.number("factor")
  if kind == "llama3":
    parameters |= {
      "low_freq_factor": inner.number("low_freq_factor"),
      "high_freq_factor": inner.number("high_freq_factor"),
      "original_positions": inner.integer(
        "original_max_position_embeddings", max_positions
      ),
    }
  inner.finish()
  return config_lib.Rope(**parameters)
