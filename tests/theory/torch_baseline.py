"""Projected descent in batched torch, as one would write it for speed.

With plain descent everything closes on the n x n Gram matrix K = H H', so
neither the width nor the right singular vectors enter: K <- M K M with
M = I - eta L, then its leading eigenvalues are raised to eps_k^2. Per step two
batched products and one batched eigh, in place where torch can.
"""

import time

import numpy as np
import torch


def energies(laplacian, starts, floors, rate, steps):
  """Last energies [R] of starts [R, n, d], float32."""
  size = laplacian.shape[-1]
  with torch.inference_mode():
    matrix = torch.as_tensor(np.asarray(laplacian, np.float32))
    descent = torch.eye(size) - rate * matrix
    rows = torch.as_tensor(np.asarray(starts, np.float32))
    squares = torch.as_tensor(np.square(np.asarray(floors, np.float32)))
    # eigh sorts ascending.
    squares = torch.flip(squares, (0,))
    gram = rows @ rows.mT
    for _ in range(steps):
      gram = descent @ gram @ descent
      values, vectors = torch.linalg.eigh(gram)
      missing = torch.clamp_min(squares - values[:, -len(squares) :], 0)
      vectors = vectors[..., -len(squares) :]
      gram = torch.baddbmm(gram, vectors * missing[:, None], vectors.mT)
    return (gram * matrix).sum(dim=(-2, -1)).numpy()


def choose_threads(laplacian, starts, floors, rate):
  """Keeps the number of threads with which a few steps are fastest.

  Small decompositions may not gain from a second thread.
  """
  seconds = {}
  for count in (torch.get_num_threads(), 1):
    torch.set_num_threads(count)
    energies(laplacian, starts, floors, rate, 1)
    begin = time.perf_counter()
    energies(laplacian, starts, floors, rate, 3)
    seconds[count] = time.perf_counter() - begin
  torch.set_num_threads(min(seconds, key=seconds.get))
