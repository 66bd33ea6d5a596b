"""Decoding by transformers' `generate`, as fast as its options allow."""

import itertools
import time

import numpy as np
import torch
import transformers

transformers.utils.logging.disable_progress_bar()

# What it is tried with, on a part of the job; the fastest is timed in full.
_CACHES = ("dynamic", "static")
_BATCHES = (64, 128, 256)
_TRIED_STEPS = 40


class Model:
  """A checkpoint in float32 on the CPU, and a job.

  Attributes:
    choice: cache, batch and threads, see `choose`.
    drawn: tokens [sequences, steps] of the last `generate`.
  """

  def __init__(self, folder, prompt, sequences, steps):
    self.model = transformers.AutoModelForCausalLM.from_pretrained(
      folder, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    # Every sequence is as long as asked for, as ours are.
    self.model.generation_config.eos_token_id = None
    self.prompt = torch.tensor([prompt])
    self.sequences, self.steps = sequences, steps
    self.choice = {
      "cache": "dynamic",
      "batch": sequences,
      "threads": torch.get_num_threads(),
    }
    self.drawn = None

  def choose(self):
    """Tries caches, batches and threads on a few steps; keeps the fastest."""
    seconds, most = {}, torch.get_num_threads()
    batches = {min(batch, self.sequences) for batch in _BATCHES}
    steps = min(_TRIED_STEPS, self.steps)
    # The first call sets things up.
    self._generate(min(batches), 2, "dynamic")
    for cache, batch in itertools.product(_CACHES, sorted(batches)):
      begin = time.perf_counter()
      self._generate(batch, steps, cache)
      seconds[cache, batch] = (time.perf_counter() - begin) / batch
    cache, batch = min(seconds, key=seconds.get)
    # In turns, and the best of each: another program must not decide.
    each = {}
    for threads in 2 * sorted({most, max(1, most // 2)}):
      torch.set_num_threads(threads)
      begin = time.perf_counter()
      self._generate(batch, steps, cache)
      taken = time.perf_counter() - begin
      each[threads] = min(taken, each.get(threads, taken))
    threads = min(each, key=each.get)
    torch.set_num_threads(threads)
    self.choice = {"cache": cache, "batch": batch, "threads": threads}
    return self.choice

  def generate(self):
    """The whole job, in batches."""
    parts, batch = [], self.choice["batch"]
    for first in range(0, self.sequences, batch):
      count = min(batch, self.sequences - first)
      parts.append(self._generate(count, self.steps, self.choice["cache"]))
    self.drawn = np.concatenate(parts)

  @torch.inference_mode()
  def _generate(self, count, steps, cache):
    tokens = self.model.generate(
      self.prompt,
      attention_mask=torch.ones_like(self.prompt),
      do_sample=True,
      temperature=1.0,
      top_k=0,
      top_p=1.0,
      num_return_sequences=count,
      max_new_tokens=steps,
      min_new_tokens=steps,
      pad_token_id=0,
      use_cache=True,
      # None: a dynamic cache.
      cache_implementation=None if cache == "dynamic" else cache,
    )
    return tokens[:, self.prompt.shape[1] :].numpy()

  @torch.inference_mode()
  def log_prob(self, tokens):
    """Log-probabilities of continuations, each read in one pass.

    Args:
      tokens: [n, steps] after the prompt.

    Returns:
      [n, steps].
    """
    found = []
    for row in torch.tensor(tokens, dtype=torch.long):
      whole = torch.cat([self.prompt[0], row])[None]
      logits = self.model(whole, use_cache=False).logits[0, :-1]
      logs = torch.log_softmax(logits[-len(row) :], dim=-1)
      found.append(logs.gather(1, row[:, None])[:, 0].numpy())
    return np.array(found)
