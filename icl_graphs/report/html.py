"""One self-contained page: scrub through context and layer and look.

Everything is inlined (styles, scripts, data); nothing is loaded from anywhere.
"""

from collections.abc import Mapping
import math
import pathlib
from typing import Any

import xarray as xr

from icl_graphs import atomic
from icl_graphs.analysis import nulls
from icl_graphs.report import glossary, payload, templates, view, wording

# Marks of the verdicts on accounts, as those of findings.
_STATES = {
  "best": "present",
  "not told apart from the best": "present",
  "behind the best": "mixed",
  "unsupported": "absent",
}
SCRIPTS = ("state.js", "charts.js", "picture.js", "page.js")


def write(
  tree: xr.DataTree,
  summary: Mapping[str, Any],
  run: Mapping[str, Any],
  out: pathlib.Path,
  theory: Mapping[str, Mapping[str, Any]] | None = None,
) -> pathlib.Path:
  """Write report.html for a run.

  Args:
    tree: measurements, one group per graph.
    summary: graph name to flat headline numbers (summary.json). A graph
      without an entry gets its pictures and curves but no table.
    run: the run's configuration (run.json), shown as it is.
    out: folder of the run; made when it does not exist.
    theory: graph name to what its comparison with theory found: `reading` and
      `control`, sentences; `accounts`, their entries in order of rank;
      `figures`, each with `path` of a PNG and `caption`.

  Returns:
    Path of the page.
  """
  graphs = [_focus(one, _entry(summary, one)) for one in view.views(tree)]
  data = {"graphs": [payload.graph(one) for one in graphs]}
  text = (
    templates.environment()
    .get_template("page.html")
    .render(
      model=_model(graphs, run),
      mode=graphs[0].dataset.attrs.get("mode") if graphs else None,
      graphs=[
        _headline(one, _entry(summary, one))
        | {"theory": _theory((theory or {}).get(one.spec))}
        for one in graphs
      ],
      run=templates.described(run),
      null_deviations=wording.number(view.NULL_DEVIATIONS),
      null_beyond=round(1 / nulls.LEVEL),
      data=templates.script_json(data),
      style=templates.asset("page.css"),
      scripts=[templates.asset(name) for name in SCRIPTS],
    )
  )
  out.mkdir(parents=True, exist_ok=True)
  path = out / "report.html"
  atomic.write_text(path, text)
  return path


def _entry(summary: Mapping[str, Any], one: view.GraphView) -> Mapping:
  return summary.get(one.spec) or {}


def _focus(one: view.GraphView, entry: Mapping[str, Any]) -> view.GraphView:
  """The view at the layer and window the summary's numbers belong to."""
  return view.at(one, entry.get("report_layer"), entry.get("window"))


def _model(graphs: list[view.GraphView], run: Mapping[str, Any]) -> str:
  for one in graphs:
    if one.dataset.attrs.get("model"):
      return str(one.dataset.attrs["model"])
  return str(run.get("model") or "A language model")


def _null_bands(one: view.GraphView) -> dict[str, tuple[float, float]]:
  """Band of each null where the headline was taken."""
  result = {}
  for name in glossary.MEASURES:
    if (band := one.null_band(name)) is not None:
      low, high = (float(end[one.layer, one.window, -1]) for end in band)
      result[name] = low, high
    if (band := one.null_band(f"{name}_final", ())) is not None:
      result[name] = float(band[0]), float(band[1])
  return result


def _headline(one: view.GraphView, entry: Mapping[str, Any]) -> dict[str, Any]:
  found = wording.findings(entry, _null_bands(one))
  context = one.context_text(one.context)
  context = context and f"{context} of context"
  return {
    "spec": one.spec,
    "n": one.size("node"),
    "layers": one.size("layer"),
    "where": ", ".join(filter(None, [one.where, context])),
    "verdicts": wording.verdicts(found),
    "untrained": any(math.isfinite(finding.untrained) for finding in found),
    "rows": [
      {
        "name": finding.name,
        "measure": finding.measure,
        "value": finding.value,
        "interval": wording.interval(finding.low, finding.high),
        "null": finding.null,
        "untrained": finding.untrained,
        "state": finding.state,
      }
      for finding in found
    ],
  }


def _theory(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
  """What the page says of a comparison with theory, figures inlined."""
  if found is None:
    return None

  def row(one):
    numbers = {
      name: wording.as_float(one[name])
      for name in ("score", "low", "high", "null", "log_likelihood")
    }
    low, high = numbers.pop("low"), numbers.pop("high")
    given = ", ".join(
      f"{name} {value:g}"
      if value == round(value)
      else f"{name} {wording.number(value)}"
      for name, value in one["parameters"].items()
    )
    return numbers | {
      "title": one["title"],
      "parameters": given,
      "interval": wording.interval(low, high),
      "verdict": one["verdict"],
      "state": _STATES.get(one["verdict"], "unknown"),
    }

  def figure(one):
    return {
      "caption": one["caption"],
      "source": templates.inlined(one["path"]),
    }

  return {
    "reading": found["reading"],
    "control": found.get("control"),
    "rows": [row(one) for one in found["accounts"]],
    "figures": [figure(one) for one in found["figures"]],
  }
