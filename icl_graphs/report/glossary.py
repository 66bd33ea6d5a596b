"""What each headline number is, in plain words."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Measure:
  """One headline number in words.

  `direction` is +1 when the graph raises the number, -1 when it lowers it and
  0 when it is context for the others and is not judged. `own_units` marks
  numbers that scale with the model's representations, so that two models cannot
  be compared by them.
  """

  label: str
  direction: int
  what: str
  no_structure: str
  own_units: bool = False


MEASURES: dict[str, Measure] = {
  "accuracy_full": Measure(
    "Accuracy, whole vocabulary",
    1,
    "Probability the model puts on true neighbours of the current word, out "
    "of its whole vocabulary (mean over the last fifth of the context).",
    "the same probabilities read against relabelled graphs (the null).",
  ),
  "accuracy_restricted": Measure(
    "Accuracy, node words only",
    1,
    "The same probability when only the words of the graph may be chosen.",
    "the share of the words that are neighbours.",
  ),
  "energy_relative": Measure(
    "Relative energy",
    -1,
    "Squared distance between words joined by an edge, relative to its "
    "average over all relabellings. Lower means neighbours lie closer.",
    "1.",
  ),
  "distance_correlation": Measure(
    "Distance correlation",
    1,
    "Correlation between distance in the model and number of steps in the "
    "graph, over all pairs of words.",
    "0.",
  ),
  "principal_cosine_1": Measure(
    "Principal cosine, larger",
    1,
    "Best agreement of a direction in the picture (PC 1-2) with the "
    "graph's two smoothest modes. 1 is perfect.",
    "above 0 by chance, more so for small graphs: compare with the null.",
  ),
  "principal_cosine_2": Measure(
    "Principal cosine, smaller",
    1,
    "Agreement of the whole PC 1-2 plane with the graph's two smoothest "
    "modes: the worse of its two directions. 1 is perfect.",
    "above 0 by chance, more so for small graphs: compare with the null.",
  ),
  "fiedler_power": Measure(
    "Fiedler power",
    1,
    "Share of the variance between words that lies on the graph's two "
    "smoothest modes.",
    "2 / (n - 1) for n words.",
  ),
  "parity_power": Measure(
    "Parity power",
    0,
    "Share of the variance on the checkerboard mode, which separates words an "
    "odd number of steps apart. Defined for bipartite graphs only.",
    "1 / (n - 1) for n words.",
  ),
  "pc12_variance": Measure(
    "Variance in PC 1-2",
    0,
    "Share of the variance between words that the picture shows.",
    "the same, since it does not involve the graph.",
  ),
  "energy_centred": Measure(
    "Energy, centred",
    -1,
    "Edge energy over the variance between words, common mean removed.",
    "2 |E| / (n - 1).",
  ),
  "energy_ratio": Measure(
    "Energy, ratio",
    -1,
    "Edge energy over the same sum taken over all pairs of words.",
    "the density of the graph.",
  ),
  "energy_degree": Measure(
    "Energy, degree-normalised",
    -1,
    "Edge energy over the degree-weighted variance between words.",
    "n / (n - 1) on average for unrelated words.",
  ),
  "energy_edge": Measure(
    "Energy per edge",
    -1,
    "Mean squared distance between words joined by an edge, in the model's "
    "own units.",
    "its average over relabellings (the null).",
    own_units=True,
  ),
  "energy_sum": Measure(
    "Energy, sum",
    -1,
    "Squared distances between neighbours, summed over ordered pairs, in the "
    "model's own units.",
    "its average over relabellings (the null).",
    own_units=True,
  ),
  "energy_frobenius": Measure(
    "Energy, Frobenius",
    -1,
    "Edge energy over the size of the uncentred representations and their "
    "width. It also falls when the common mean grows.",
    "its average over relabellings (the null).",
    own_units=True,
  ),
}
