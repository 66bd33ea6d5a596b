"""Ablation of heads by hooks on transformers, one configuration at a time."""

import time

import numpy as np
import torch
import transformers

transformers.utils.logging.disable_progress_bar()

_TRIED = 6


class Model:
  """A checkpoint in float32 on the CPU, and a sweep.

  Attributes:
    choice: threads, see `choose`.
    found: accuracies [walks, configurations, words] of the last `run`.
  """

  def __init__(
    self, folder, tokens, nodes, edges, words, offset, readout, ablations
  ):
    self.model = transformers.AutoModelForCausalLM.from_pretrained(
      folder, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    self.tokens = torch.tensor(tokens, dtype=torch.long)
    self.nodes = torch.tensor(nodes, dtype=torch.long)
    self.edges = torch.tensor(edges)
    self.words = torch.tensor(words, dtype=torch.long)
    self.offset = offset
    self.layer, self.window = readout
    scale, fill = ablations
    # Both as they are needed: once, not per call.
    self.scale = torch.tensor(scale)[..., None]
    self.rest = (1 - self.scale) * torch.tensor(fill)
    self.choice = {"threads": torch.get_num_threads()}
    self.found = None
    self._number = 0
    self._sums = None
    self._hook()

  def _hook(self):
    layers = self.model.get_decoder().layers
    for k, layer in enumerate(layers):
      one = getattr(layer, "attention", None) or layer.self_attn
      into = one.dense if hasattr(one, "dense") else one.o_proj
      into.register_forward_pre_hook(self._ablation(k))
    if self.layer:
      layers[self.layer - 1].register_forward_hook(
        lambda _, __, output: self._observe(output)
      )

  def _ablation(self, layer):
    def hook(_, args):
      scale, rest = self.scale[self._number, layer], self.rest[self._number]
      heads = args[0].unflatten(-1, (scale.shape[0], -1))
      return ((heads * scale + rest[layer]).flatten(-2),)

    return hook

  def _observe(self, output):
    hidden = output[0] if isinstance(output, tuple) else output
    nodes = self._nodes[-self.window :]
    hidden = hidden.reshape(-1, hidden.shape[-1])[-self.window :]
    self._sums = torch.zeros(len(self.words), hidden.shape[-1])
    self._sums.index_add_(0, nodes, hidden)

  @torch.inference_mode()
  def _read(self, walk, number):
    self._number, self._nodes = number, self.nodes[walk]
    tokens = self.tokens[walk : walk + 1]
    logits = self.model(tokens, use_cache=False).logits[0, self.offset :]
    probs = torch.exp(
      logits[:, self.words] - torch.logsumexp(logits, -1, keepdim=True)
    )
    probs = probs * self.edges[self._nodes[self.offset :]]
    return probs.sum(-1).numpy()

  def choose(self):
    """Tries numbers of threads; keeps the fastest."""
    most = torch.get_num_threads()
    seconds = {}
    for threads in 2 * sorted({most, max(1, most // 2)}):
      torch.set_num_threads(threads)
      self._read(0, 0)
      begin = time.perf_counter()
      for _ in range(_TRIED):
        self._read(0, 0)
      taken = time.perf_counter() - begin
      seconds[threads] = min(taken, seconds.get(threads, taken))
    threads = min(seconds, key=seconds.get)
    torch.set_num_threads(threads)
    self.choice = {"threads": threads}
    return self.choice

  def run(self, walks):
    """Every configuration of these walks, one after the other."""
    self.found = np.stack(
      [
        [self._read(walk, number) for number in range(len(self.scale))]
        for walk in walks
      ]
    )
