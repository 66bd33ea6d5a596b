"""Rival accounts of how class means come to mirror a graph.

Every account is linear: it turns unrelated words, iid Gaussian rows E, into
representations H = [M_1 E, M_2 E, ...], the blocks side by side in separate
subspaces. Its expected Gram matrix is then sum_j M_j M_j' (per dimension of
E), whatever the width, and that matrix is all that a comparison needs.

P = D^-1 A is the walk matrix and Q = D - A the Laplacian. On an undirected
graph the previous word is as uniform over neighbours as the next one, so that
copying the previous word adds a neighbour mean. Definitions and closed forms:
the rival accounts of the project's specification, section 3.4. Graphs come as
`geometry.frame(adjacency)`, which refuses those that cannot be used.
"""

from collections.abc import Callable, Mapping
import dataclasses

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import geometry


@dataclasses.dataclass(frozen=True, eq=False)
class Account:
  """One account at given parameters.

  maps: [m, n, n], the M_j above. power: where it has a closed form, the
  expected degree-corrected power q of a walk-matrix mode as a function of its
  eigenvalue mu, up to scale; else None.
  """

  name: str
  parameters: Mapping[str, float]
  maps: Float[np.ndarray, "m n n"]
  power: Callable[[np.ndarray], np.ndarray] | None = None

  @property
  def gram(self) -> Float[np.ndarray, "n n"]:
    """Expected Gram matrix of the class means, per dimension of E."""
    return np.einsum("mij,mkj->ik", self.maps, self.maps)


def simulate(
  account: Account, width: int, seed: int
) -> Float[np.ndarray, "n m*width"]:
  """Class means under an account, from iid standard normal words.

  Args:
    account: its m blocks lie side by side.
    width: dimensions per block.
    seed: of the words.
  """
  nodes = account.maps.shape[-1]
  words = np.random.default_rng(seed).standard_normal((nodes, width))
  return np.concatenate(list(account.maps @ words), axis=-1)


def walk_matrix(graph: geometry.Frame) -> Float[np.ndarray, "n n"]:
  """P = D^-1 A (A symmetrised if directed)."""
  return graph.adjacency / graph.adjacency.sum(axis=1, keepdims=True)


def flat(graph: geometry.Frame) -> Account:
  """No structure: unrelated words stay unrelated."""
  eye = np.eye(len(graph.adjacency))
  return Account("flat", {}, eye[None], np.ones_like)


def shared_mixing(
  graph: geometry.Frame, alpha: float, rounds: int = 1
) -> Account:
  """Neighbour mixing within one space: H = (I + alpha P)^r E.

  q(mu) = (1 + alpha mu)^2r: smooths, and removes what alternates.
  """
  step = walk_matrix(graph)
  step = np.eye(len(step)) + alpha * step
  return Account(
    "shared_mixing",
    {"alpha": alpha, "rounds": rounds},
    np.linalg.matrix_power(step, rounds)[None],
    lambda mu: (1 + alpha * mu) ** (2 * rounds),
  )


def independent_mixing(
  graph: geometry.Frame, alpha: float, rounds: int = 1
) -> Account:
  """Neighbour means written beside the word: H = [E, aPE, ..., (aP)^r E].

  q(mu) = sum_j (alpha mu)^2j: smooth and alternating modes gain alike.
  """
  step = alpha * walk_matrix(graph)
  maps = [np.linalg.matrix_power(step, j) for j in range(rounds + 1)]
  return Account(
    "independent_mixing",
    {"alpha": alpha, "rounds": rounds},
    np.stack(maps),
    lambda mu: sum((alpha * mu) ** (2 * j) for j in range(rounds + 1)),
  )


def partial_overlap(graph: geometry.Frame, alpha: float, rho: float) -> Account:
  """Neighbour means in a space that overlaps with the words' own.

  H = [E + a rho P E, a sqrt(1 - rho^2) P E];
  q(mu) = 1 + 2 a rho mu + a^2 mu^2.
  """
  return dataclasses.replace(
    _overlapping(walk_matrix(graph), alpha, rho),
    name="partial_overlap",
    power=lambda mu: 1 + 2 * alpha * rho * mu + (alpha * mu) ** 2,
  )


def heat_flow(graph: geometry.Frame, tau: float, floor: float = 0.0) -> Account:
  """Energy descent for a time: Gram exp(-2 tau Q), plus `floor` times I.

  The floor stands for what stays of each word's identity. Decreasing in the
  Laplacian eigenvalue, so without a rise at mu = -1.
  """
  modes = graph.modes
  flow = (modes.vectors * np.exp(-tau * modes.values)) @ modes.vectors.T
  return Account(
    "heat_flow",
    {"tau": tau, "floor": floor},
    _with_floor(flow, floor),
    _regular(graph, lambda lam: np.exp(-2 * tau * lam) + floor),
  )


def spectral_embedding(
  graph: geometry.Frame,
  modes: int,
  decay: float = 1.0,
  floor: float = 0.0,
) -> Account:
  """Minimiser of the Dirichlet energy under floors on singular values.

  Gram sum_k eps_k^2 z_k z_k' over z_2 ... z_{modes+1}, with eps_k =
  decay^(k-2), plus `floor` times I. Where some of a repeated eigenvalue's
  modes enter, or enter unequally, each carries their mean, the average over
  the minimisers that the repetition allows.

  Raises:
    InputError: not 1 <= modes <= n - 1, or decay not within (0, 1].
  """
  found = graph.modes
  nodes = len(found.values)
  if not 1 <= modes < nodes:
    raise errors.InputError(
      f"{modes} modes asked of a graph with {nodes} nodes; give 1 to "
      f"{nodes - 1}"
    )
  if not 0 < decay <= 1:
    raise errors.InputError(
      f"decay {decay} is not within (0, 1]; the floors must not increase"
    )
  squares = np.zeros(nodes)
  squares[1 : modes + 1] = decay ** (2 * np.arange(modes))
  same = found.space[:, None] == found.space
  squares = same @ squares / same.sum(axis=1)
  embedding = (found.vectors * np.sqrt(squares)) @ found.vectors.T
  return Account(
    "spectral_embedding",
    {"modes": modes, "decay": decay, "floor": floor},
    _with_floor(embedding, floor),
  )


def low_frequency(
  graph: geometry.Frame, rate: float, floor: float, depth: float
) -> Account:
  """Low-frequency bias over layers ("double convergence").

  Heat flow whose time grows in proportion to depth, with one rate and one
  floor for the whole model: low modes gain from layer to layer and high modes
  lose most. After arXiv 2507.13540; the proportionality is ours.

  Args:
    graph: from `geometry.frame`.
    rate: flow time at full depth.
    floor: as in `heat_flow`.
    depth: hidden state over number of layers, 0 to 1.
  """
  return dataclasses.replace(
    heat_flow(graph, rate * depth, floor),
    name="low_frequency",
    parameters={"rate": rate, "floor": floor},
  )


def copying(
  copied: Float[np.ndarray, "n n"], alpha: float, rho: float, name: str
) -> Account:
  """Copying of other words on actual walks, as partial overlap.

  Args:
    copied: C[i, j], the mean share of word j in what occurrences of word i
      copied (`walk_copies`); rows may sum to less than 1.
    alpha: weight of what is copied.
    rho: overlap of its space with the words' own.
    name: of the account.
  """
  return dataclasses.replace(_overlapping(copied, alpha, rho), name=name)


def _overlapping(step: np.ndarray, alpha: float, rho: float) -> Account:
  beside = alpha * np.sqrt(max(1 - rho**2, 0.0)) * step
  return Account(
    "",
    {"alpha": alpha, "rho": rho},
    np.stack([np.eye(len(step)) + alpha * rho * step, beside]),
  )


def _with_floor(matrix: np.ndarray, floor: float) -> np.ndarray:
  if floor < 0:
    raise errors.InputError(f"the floor {floor} is negative; give 0 or more")
  if not floor:
    return matrix[None]
  return np.stack([matrix, np.sqrt(floor) * np.eye(len(matrix))])


def _regular(
  graph: geometry.Frame, power: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray] | None:
  """Where all degrees are equal, a Laplacian filter is one in mu too."""
  degrees = graph.adjacency.sum(axis=1)
  if np.ptp(degrees) > 1e-9 * degrees.max():
    return None
  return lambda mu: power(degrees[0] * (1 - mu))
