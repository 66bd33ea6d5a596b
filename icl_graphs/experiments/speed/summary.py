"""From timed rows of the model to what is printed and saved."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import pathlib
from typing import Any

from icl_graphs.experiments.speed import ours, timing


def heading(own: ours.Ours, other: Any | None) -> str:
  """One line: model, sequences, precision, devices."""
  c = own.config
  batch, time = own.job.tokens.shape
  kind = own.devices[0].device_kind
  against = "" if other is None else f", transformers with {other.describe()}"
  return (
    f"{c.family}, {c.num_layers} layers, width {c.hidden_size:,}, vocabulary "
    f"{c.vocab_size:,}; {batch} x {time:,} tokens, {own.dtype}, "
    f"{len(own.devices)} x {kind}, attention {c.backend}{against}"
  )


def result(
  own: ours.Ours,
  other: Any | None,
  timed: Sequence[timing.Row],
  differences: Mapping[str, float],
  peaks: Mapping[str, int | None],
  files: Mapping[str, Callable[[pathlib.Path], Any]],
) -> timing.Result:
  """Puts everything together.

  Args:
    own: our side.
    other: transformers' side; or None.
    timed: rows of tokens, and of operations for the ceiling.
    differences: by row, from our useful output.
    peaks: by row, measured memory above the weights; may be empty.
    files: what the run saves.
  """
  products = [row for row in timed if row.unit == "operations"]
  best = max(products, key=lambda row: row.rate["median"])
  ceiling = best.rate["median"] * len(own.devices)
  rows = {
    row.name: dataclasses.replace(
      row, extra=_extra(row, own, ceiling, differences, peaks)
    )
    for row in timed
    if row.unit == "tokens"
  }
  content = _job(own, other)
  content |= _headline(rows, own, ceiling, differences, peaks)
  content |= {
    "matmul_ceiling": {
      "flops_per_second": ceiling,
      "product": best.name,
      "products": {row.name: row.rate for row in products},
    },
    "load_seconds": {"icl_graphs": own.load_seconds}
    | ({"transformers": other.load_seconds} if other else {}),
    "compile_seconds": own.compile_seconds,
  }
  return timing.Result(
    list(rows.values()), content, _notes(rows, content), files
  )


def _job(own, other) -> dict[str, Any]:
  batch, time = own.job.tokens.shape
  return {
    "layers": own.config.num_layers,
    "vocab": own.config.vocab_size,
    "batch": batch,
    "length": time,
    "nodes": own.job.sums.num_nodes,
    "context_lengths": own.job.sums.context_lengths,
    "windows": own.job.sums.windows,
    "dtype": own.dtype,
    "attention": own.config.backend,
    "devices": len(own.devices),
    "transformers": other.describe() if other else None,
  }


def _extra(row, own, ceiling, differences, peaks) -> dict[str, Any]:
  """What JSON tells about a row beside its times."""
  name = row.name
  extra = {}
  if name != "walk_sampling":
    # Rivals have the same to compute.
    flops = own.flops(name)
    extra = {"flops": flops, "mfu": flops / row.median / ceiling}
  if name in own.compile_seconds:
    count = len(own.devices)
    per_device = {key: rate / count for key, rate in row.rate.items()}
    extra["tokens_per_second_per_device"] = per_device
    extra["compile_seconds"] = own.compile_seconds[name]
    extra["compiled_bytes"] = own.compiled_bytes[name]
  if name in peaks:
    extra["peak_bytes"] = peaks[name]
  if name in differences:
    extra["relative_difference"] = differences[name]
  return extra


def _headline(rows, own, ceiling, differences, peaks) -> dict[str, Any]:
  """The numbers that matter most; None where a row was not measured."""

  def ratio(name, reference):
    if name in rows and reference in rows:
      return rows[reference].median / rows[name].median
    return None

  cost, spread = None, None
  if "useful" in rows and "bare" in rows:
    cost = rows["useful"].median / rows["bare"].median - 1
    both = zip(rows["useful"].seconds, rows["bare"].seconds, strict=True)
    paired = [measured / plain - 1 for measured, plain in both]
    spread = min(paired), max(paired)
  useful = rows.get("useful")
  return {
    "ratio_useful_vs_transformers": ratio("useful", "transformers_useful"),
    "ratio_useful_vs_hooks": ratio("useful", "hooks_useful"),
    "ratio_bare_vs_transformers": ratio("bare", "transformers_bare"),
    "cost_of_measuring": cost,
    "cost_of_measuring_range": spread,
    "mfu": useful and own.flops("useful") / useful.median / ceiling,
    "peak_bytes": peaks.get("useful", own.compiled_bytes.get("useful")),
    "max_relative_difference": max(differences.values(), default=None),
  }


def _notes(rows, content) -> list[str]:
  """Lines below the table."""
  ceiling = content["matmul_ceiling"]
  notes = [
    f"matmul ceiling {ceiling['flops_per_second'] / 1e9:,.0f} GFLOP/s "
    f"({ceiling['product']})"
  ]
  for name, row in rows.items():
    parts = []
    if "mfu" in row.extra:
      parts.append(f"{row.extra['mfu']:.1%} of the ceiling")
    if "compile_seconds" in row.extra:
      parts.append(f"compiled in {row.extra['compile_seconds']:.1f} s")
    if row.extra.get("compiled_bytes") is not None:
      parts.append(f"{row.extra['compiled_bytes'] / 1e9:.2f} GB planned")
    if row.extra.get("peak_bytes") is not None:
      parts.append(f"{row.extra['peak_bytes'] / 1e9:.2f} GB above weights")
    if parts:
      notes.append(f"{name}: {', '.join(parts)}")
  for name, text in (
    ("ratio_useful_vs_transformers", "useful output, times transformers"),
    ("ratio_useful_vs_hooks", "useful output, times hooks"),
    ("ratio_bare_vs_transformers", "bare forward, times transformers"),
    ("max_relative_difference", "greatest relative difference"),
  ):
    if content[name] is not None:
      notes.append(f"{text}: {content[name]:.3g}")
  if content["cost_of_measuring"] is not None:
    low, high = content["cost_of_measuring_range"]
    notes.append(
      f"cost of measuring: {content['cost_of_measuring']:.1%} "
      f"[{low:.1%}, {high:.1%}]"
    )
  loads = ", ".join(
    f"{side} {seconds:.1f} s"
    for side, seconds in content["load_seconds"].items()
  )
  notes.append(f"loading: {loads}")
  return notes
