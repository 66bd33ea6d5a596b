"""One graph's measurements, read with absences made explicit.

Letters: L layers, W windows, C context checkpoints, n nodes, M modes, T time.
"""

import dataclasses
import math
import re

from jaxtyping import Bool, Float, Int
import numpy as np
import xarray as xr

CELL = ("layer", "window", "context")
# Eigenvalues closer than this are one eigenspace: single modes inside it are
# an arbitrary choice of basis.
SAME_EIGENVALUE = 1e-6
# How far the band of a null reaches where its exact limits are not known.
NULL_DEVIATIONS = 2.0


@dataclasses.dataclass(frozen=True, eq=False)
class Modes:
  """Laplacian power by eigenspace.

  `eigenvalues` and `multiplicity` are [M]; `power` [L, W, C, M] is the mean
  over the modes of each eigenspace; `flat` is what every mode would hold if
  the words had no structure.
  """

  eigenvalues: Float[np.ndarray, " M"]
  multiplicity: Int[np.ndarray, " M"]
  power: Float[np.ndarray, "L W C M"]
  flat: float


@dataclasses.dataclass(frozen=True, eq=False)
class GraphView:
  """A graph's dataset with the layer and window its headline belongs to.

  `layer`, `window` and `context` are positions along their dimensions, not
  labels. `control` holds the same measurements of an untrained model.
  """

  spec: str
  dataset: xr.Dataset
  layer: int = 0
  window: int = 0
  control: "GraphView | None" = None

  @property
  def context(self) -> int:
    return self.size("context") - 1

  @property
  def slug(self) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", self.spec).strip("_") or "graph"

  def size(self, dim: str) -> int:
    return self.dataset.sizes.get(dim, 1)

  def labels(self, dim: str) -> list[int]:
    """Integer labels of a dimension; positions where it has none."""
    if dim not in self.dataset.coords:
      return list(range(self.size(dim)))
    return [int(label) for label in np.atleast_1d(self.dataset[dim].values)]

  @property
  def words(self) -> list[str]:
    if "node" not in self.dataset.coords:
      return [str(node) for node in range(self.size("node"))]
    return [str(word) for word in self.dataset["node"].values]

  @property
  def unit(self) -> str:
    """What contexts and times count: pairs have separators between words."""
    return "tokens" if self.dataset.attrs.get("mode") == "pairs" else "words"

  @property
  def counted(self) -> bool:
    """Whether contexts and counts are real: bare class means have none."""
    return bool(self.dataset.attrs.get("counts_known", True))

  def context_text(self, position: int) -> str:
    """A context length with its unit; empty where it is not known."""
    if not self.counted:
      return ""
    length = self.labels("context")[position]
    return f"{length} {self.unit if length != 1 else self.unit[:-1]}"

  @property
  def where(self) -> str:
    """Report layer and, where known, window."""
    layer = f"hidden state {self.labels('layer')[self.layer]}"
    if not self.counted:
      return layer
    return f"{layer}, window {self.labels('window')[self.window]}"

  @property
  def directed(self) -> bool:
    return bool(self.dataset.attrs.get("directed", False))

  def array(self, name: str, dims: tuple[str, ...]) -> np.ndarray | None:
    """A variable with exactly these dimensions (length 1 where it lacks one).

    None when the dataset has no such variable.
    """
    if name not in self.dataset:
      return None
    return _with_dims(self.dataset[name], dims)

  def stat(
    self, name: str, which: str = "value", dims: tuple[str, ...] = CELL
  ) -> np.ndarray | None:
    """One statistic of a measurement, [L, W, C] unless told otherwise."""
    if name not in self.dataset:
      return None
    variable = self.dataset[name]
    if "stat" not in variable.dims:
      return self.array(name, dims) if which == "value" else None
    if which not in variable["stat"].values:
      return None
    return _with_dims(variable.sel(stat=which), dims)

  def null_band(
    self, name: str, dims: tuple[str, ...] = CELL
  ) -> tuple[np.ndarray, np.ndarray] | None:
    """Lower and upper end of what the null of a measurement may give.

    The exact limits of the null or, where there are none, its mean and
    `NULL_DEVIATIONS` of its standard deviations; NaN where neither is known.
    """
    mean, spread = (
      self.stat(name, which, dims) for which in ("null", "null_sd")
    )
    if mean is None or spread is None:
      return None
    reach = NULL_DEVIATIONS * spread
    ends = []
    for which, end in (("null_low", mean - reach), ("null_high", mean + reach)):
      exact = self.stat(name, which, dims)
      if exact is not None:
        end = np.where(np.isfinite(exact), exact, end)
      ends.append(end)
    return ends[0], ends[1]

  def curve(self, name: str, which: str = "value") -> np.ndarray | None:
    """A measurement along time, [T]."""
    return self.stat(name, which, ("time",))

  @property
  def adjacency(self) -> Float[np.ndarray, "n n"]:
    found = self.array("adjacency", ("node", "node_"))
    return np.zeros((self.size("node"),) * 2) if found is None else found

  @property
  def edges(self) -> list[tuple[int, int]]:
    """Pairs (i, j) to draw: once each, or as i -> j in a directed graph."""
    linked = self.adjacency > 0
    if not self.directed:
      linked = np.triu(linked | linked.T, 1)
    return [(int(i), int(j)) for i, j in np.argwhere(linked)]

  @property
  def positions(self) -> Float[np.ndarray, "n 2"]:
    """The layout of the graph, centred; a circle when none was stored."""
    n = self.size("node")
    found = self.array("position", ("node", "xy"))
    if found is None or not np.isfinite(found).all():
      angle = 2 * math.pi * np.arange(n) / max(n, 1)
      found = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    return found - found.mean(axis=0)

  @property
  def scores(self) -> Float[np.ndarray, "L W C n K"] | None:
    return self.array("pca_scores", (*CELL, "node", "component"))

  @property
  def explained(self) -> Float[np.ndarray, "L W C K"] | None:
    return self.array("explained_ratio", (*CELL, "component"))

  @property
  def enough(self) -> Bool[np.ndarray, "W C n"]:
    """Whether a node was seen often enough; true where not recorded."""
    found = self.array("enough", ("window", "context", "node"))
    if found is None:
      sizes = [self.size(dim) for dim in ("window", "context", "node")]
      return np.ones(sizes, bool)
    return found.astype(bool)

  @property
  def counts(self) -> Float[np.ndarray, "W C n"] | None:
    """Occurrences behind each class mean."""
    if "count" not in self.dataset or not self.counted:
      return None
    count = self.dataset["count"]
    if "group" in count.dims:
      count = count.sum("group")
    return _with_dims(count, ("window", "context", "node"))

  @property
  def modes(self) -> Modes | None:
    """Laplacian power averaged inside eigenspaces, constant mode left out."""
    power = self.stat("laplacian_power", "value", (*CELL, "mode"))
    values = self.array("laplacian_eigenvalue", ("mode",))
    if power is None or values is None:
      return None
    kept = values > SAME_EIGENVALUE
    values, power = values[kept], power[..., kept]
    starts = np.flatnonzero(
      np.diff(values, prepend=-np.inf) > SAME_EIGENVALUE * values.max()
    )
    multiplicity = np.diff(starts, append=values.size)
    mean = np.add.reduceat(power, starts, axis=-1) / multiplicity
    return Modes(values[starts], multiplicity, mean, 1 / max(values.size, 1))


def _with_dims(variable: xr.DataArray, dims: tuple[str, ...]) -> np.ndarray:
  for dim in dims:
    if dim not in variable.dims:
      variable = variable.expand_dims(dim)
  return variable.transpose(*dims).to_numpy()


def views(tree: xr.DataTree) -> list[GraphView]:
  """The graphs of a run, in stored order.

  The report layer is the one the dataset names in its attributes, otherwise
  the hidden state at four fifths of the depth; the report window is the one
  named, otherwise the first. A child `random_weights` becomes the control.
  """
  if not tree.children:
    return [_view(tree.name or "graph", tree)]
  return [_view(name, child) for name, child in tree.children.items()]


def _view(name: str, tree: xr.DataTree) -> GraphView:
  dataset = tree.to_dataset()
  attributes = dataset.attrs
  spec = str(attributes.get("graph", attributes.get("spec", name)))
  one = GraphView(spec, dataset)
  if "random_weights" in tree.children:
    control = tree["random_weights"].to_dataset()
    one = dataclasses.replace(one, control=GraphView(spec, control))
  one = at(one, round(0.8 * max(one.labels("layer"))), None)
  return at(
    one, attributes.get("report_layer"), attributes.get("report_window")
  )


def at(one: GraphView, layer: int | None, window: int | None) -> GraphView:
  """The same graph, reported at these labels; unknown labels change nothing."""
  layers, windows = one.labels("layer"), one.labels("window")
  position, chosen = one.layer, one.window
  if layer is not None:
    position = min(range(len(layers)), key=lambda k: abs(layers[k] - layer))
  if window in windows:
    chosen = windows.index(window)
  control = one.control
  if control is not None:
    control = dataclasses.replace(control, layer=position, window=chosen)
  return dataclasses.replace(
    one, layer=position, window=chosen, control=control
  )


def log_bins(
  times: Float[np.ndarray, " T"], values: Float[np.ndarray, "S T"], most: int
) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, "S B"]]:
  """Average curves inside bins that grow with time, for drawing.

  Early times keep one bin each, so the fast part of a curve is not blurred;
  NaN (unscored) entries are left out of their bin, and a bin with nothing in it
  is dropped.

  Args:
    times: [T] increasing, at least 1.
    values: [S, T] curves.
    most: largest number of bins.

  Returns:
    Bin centres [B] and means [S, B].
  """
  edges = np.geomspace(times[0], times[-1] + 1, most + 1)
  index = np.clip(np.digitize(times, edges) - 1, 0, most - 1)
  used = np.isfinite(values).any(axis=0)
  centres, means = [], []
  for bin_index in np.unique(index[used]):
    inside = (index == bin_index) & used
    centres.append(np.exp(np.log(times[inside]).mean()))
    part = values[:, inside]
    known = np.isfinite(part)
    total = np.where(known, part, 0).sum(axis=1)
    count = known.sum(axis=1)
    mean = np.full(len(part), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    means.append(mean)
  if not centres:
    return np.zeros(0), np.zeros((len(values), 0))
  return np.array(centres), np.stack(means, axis=1)
