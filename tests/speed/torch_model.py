"""The same job by transformers, as a good user would write it.

`useful` asks transformers for hidden states and logits and reduces them;
`hooked` reduces each layer as it appears and unembeds in chunks.
"""

import time

import numpy as np
import torch
import transformers

from icl_graphs.experiments.speed import job as job_lib

transformers.utils.logging.disable_progress_bar()

ROWS = ("transformers_bare", "transformers_useful", "hooks_useful")

# Logits of one chunk stay near 64 MB.
_CHUNK_ELEMENTS = 2**24


class Model:
  """A checkpoint in torch, and a job on its device."""

  def __init__(self, folder, job, dtype="float32", device="cpu"):
    """Loads; attention is sdpa unless the model caps its scores."""
    config = transformers.AutoConfig.from_pretrained(folder)
    # sdpa knows no softcap and would leave it out.
    capped = getattr(config, "attn_logit_softcapping", None) is not None
    self.attention = "eager" if capped else "sdpa"
    begin = time.perf_counter()
    self.model = transformers.AutoModelForCausalLM.from_pretrained(
      folder,
      dtype=getattr(torch, dtype),
      attn_implementation=self.attention,
    ).to(device)
    self.model.eval()
    # A mapped file is read when it is touched.
    for parameter in self.model.parameters():
      parameter.detach().sum()
    self.load_seconds = time.perf_counter() - begin
    # The last hidden state before the final norm, not after it.
    self.model.config.tie_last_hidden_states = False
    self.device = torch.device(device)
    self.job = job
    self.tokens = self._tensor(job.tokens)
    self.ids = self._tensor(job.node_token_ids)
    self.softcap = getattr(config, "final_logit_softcapping", None)
    self._segments(job)
    if self.device.type == "cuda":
      torch.cuda.reset_peak_memory_stats(self.device)

  def run(self, row):
    """One of `ROWS`, ready to be called; returns when the device is done."""
    return self._synchronised(
      {
        "transformers_bare": self.bare,
        "transformers_useful": self.useful,
        "hooks_useful": self.hooked,
      }[row]
    )

  def _tensor(self, array):
    return torch.as_tensor(np.asarray(array, np.int64), device=self.device)

  def _segments(self, job):
    """One-hot nodes [B, T, n], and segments of every window [W, C, S]."""
    sums = job.sums
    nodes = self._tensor(job.nodes)
    onehot = nodes[..., None] == torch.arange(
      sums.num_nodes, device=self.device
    )
    self.members = onehot.to(self.model.dtype)
    self.inside = torch.as_tensor(
      sums.segments_of_window, dtype=torch.float32, device=self.device
    )

  def _sums(self, hidden):
    """Sums of one hidden state per segment and node, [S, n, D]."""
    return torch.stack(
      [
        torch.einsum(
          "btn,btd->nd", self.members[:, start:stop], hidden[:, start:stop]
        ).float()
        for start, stop in self.job.sums.segments
      ]
    )

  def _output(self, sums, log_probs):
    counts = torch.stack(
      [
        self.members[:, start:stop].float().sum((0, 1))
        for start, stop in self.job.sums.segments
      ]
    )
    counts = torch.einsum("wcs,sn->wcn", self.inside, counts)
    means = torch.einsum("wcs,lsnd->lwcnd", self.inside, torch.stack(sums))
    means /= counts[..., None]
    return job_lib.Output(means, counts, log_probs)

  def _synchronised(self, run):
    def done():
      with torch.inference_mode():
        output = run()
      if self.device.type == "cuda":
        torch.cuda.synchronize()
      return output

    return done

  def bare(self):
    """What model(input_ids) gives: the logits of the whole vocabulary."""
    return self.model(self.tokens, use_cache=False).logits

  def useful(self):
    """Hidden states and logits from transformers, then the reductions."""
    out = self.model(self.tokens, use_cache=False, output_hidden_states=True)
    total = torch.logsumexp(out.logits.float(), -1, keepdim=True)
    log_probs = out.logits[..., self.ids].float() - total
    return self._output([self._sums(h) for h in out.hidden_states], log_probs)

  def hooked(self):
    """Hooks reduce every layer where it appears; logits exist in chunks."""
    base = self.model.base_model
    blocks = base.layers if hasattr(base, "layers") else base.h
    sums = []

    def before(_, args, kwargs):
      hidden = args[0] if args else kwargs["hidden_states"]
      sums.append(self._sums(hidden))

    def after(_, args, output):
      hidden = output[0] if isinstance(output, tuple) else output
      sums.append(self._sums(hidden))

    hooks = [blocks[0].register_forward_pre_hook(before, with_kwargs=True)]
    hooks += [block.register_forward_hook(after) for block in blocks]
    try:
      final = base(self.tokens, use_cache=False).last_hidden_state
    finally:
      for hook in hooks:
        hook.remove()
    return self._output(sums, self._chunked(final))

  def _chunked(self, final):
    head = self.model.get_output_embeddings()
    rows = max(8, _CHUNK_ELEMENTS // head.weight.shape[0])
    parts = []
    for hidden in final.flatten(0, 1).split(rows):
      logits = head(hidden).float()
      if self.softcap is not None:
        logits = self.softcap * torch.tanh(logits / self.softcap)
      total = torch.logsumexp(logits, -1, keepdim=True)
      parts.append(logits[:, self.ids] - total)
    return torch.cat(parts).reshape(*final.shape[:2], -1)

  def product(self, shape):
    """A matrix product of these sizes, ready to run."""
    rows, inner, columns = shape
    options = {"dtype": self.model.dtype, "device": self.device}
    left = torch.randn(rows, inner, **options)
    right = torch.randn(inner, columns, **options)
    return self._synchronised(lambda: left @ right)

  def device_peak_bytes(self):
    """Peak of the GPU's allocator beyond weights; None on a CPU."""
    if self.device.type != "cuda":
      return None
    weights = sum(p.nbytes for p in self.model.parameters())
    return torch.cuda.max_memory_allocated(self.device) - weights

  def describe(self):
    """Attention, version and threads, in words."""
    threads = torch.get_num_threads()
    return f"{self.attention}, torch {torch.__version__}, {threads} threads"

  def choose_threads(self):
    """Keeps the number of threads with which a short pass is fastest."""
    run = self._synchronised(
      lambda: self.model(self.tokens[:1, :256], use_cache=False)
    )
    seconds = {}
    for count in sorted({torch.get_num_threads(), 1}, reverse=True):
      torch.set_num_threads(count)
      run()
      begin = time.perf_counter()
      run()
      seconds[count] = time.perf_counter() - begin
    torch.set_num_threads(min(seconds, key=seconds.get))
    return torch.get_num_threads()


def to_numpy(output):
  """An output on the host."""
  return job_lib.Output(*(x.float().cpu().numpy() for x in output))
