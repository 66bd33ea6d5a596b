"""Every edit equals the same edit made by torch hooks on transformers.

Each row of one batch has another kind of edit, the last one all of them.
"""

import dataclasses

import jax
import numpy as np
import pytest
import torch

from icl_graphs.models import checkpoint, decoder, families
from icl_graphs.probes import edits, heads
from tests.models import torch_models

TOLERANCE = 1e-4
# Beyond the window of the tiny Gemma 2 (37).
TIME, RANK = 150, 2
KINDS = ("nothing", "heads", "project", "keep", "add", "replace", "all")
FAMILIES = ("llama", "gemma2", "gpt_neox")


@pytest.fixture(scope="module", params=FAMILIES)
def model(request, tmp_path_factory):
  """A model of transformers; ours: configuration and parameters."""
  theirs = torch_models.build(request.param)
  folder = torch_models.save(theirs, tmp_path_factory.mktemp("model"))
  config = families.read_config(folder)
  return theirs, config, checkpoint.load(folder, config)


def tokens_of():
  shape = (len(KINDS), TIME)
  return np.random.default_rng(1).integers(0, 101, shape, np.int32)


def random_edits(config, clean):
  """Row b has the edits of KINDS[b] only, in the size of hidden states.

  Args:
    config: of the model.
    clean: hidden states [L + 1, B, T, D] of the pass without edits.
  """
  rng = np.random.default_rng(2)
  plain = edits.identity(config, tokens_of(), RANK)
  scale = np.sqrt(np.square(clean).mean(axis=(2, 3)))[..., None]

  def vectors():
    return (scale * rng.normal(size=plain.add.shape)).astype(np.float32)

  turned = np.linalg.qr(rng.normal(size=(*plain.add.shape, RANK)))[0]
  drawn = edits.Edits(
    # Heads taken away, weakened, kept and turned round.
    head_scale=rng.choice(np.float32([0, 0.5, 1, -1]), plain.head_scale.shape),
    head_fill=rng.normal(size=plain.head_fill.shape).astype(np.float32),
    at=rng.random(plain.at.shape) < 0.7,
    basis=np.swapaxes(turned, -1, -2).astype(np.float32),
    centre=vectors(),
    keep=rng.random(plain.keep.shape) < 0.5,
    add=vectors(),
    replace=vectors(),
    replaced=rng.random(plain.replaced.shape) < 0.5,
  )
  of_kind = {
    "nothing": (),
    "heads": ("head_scale", "head_fill"),
    "project": ("basis", "centre"),
    "keep": ("basis", "centre", "keep"),
    "add": ("add",),
    "replace": ("replace", "replaced"),
    "all": tuple(name for name in edits.Edits._fields if name != "at"),
  }
  chosen = {}
  for name in edits.Edits._fields:
    rows = np.array([name in of_kind[kind] for kind in KINDS])
    one = getattr(drawn, name)
    if name != "at":
      spread = rows.reshape(1, -1, *[1] * (one.ndim - 2))
      one = np.where(spread, one, getattr(plain, name))
    chosen[name] = one
  # Some layers are left alone altogether.
  chosen["replaced"][1] = False
  return edits.Edits(**chosen)


def run_hooked(theirs, tokens, made):
  """transformers with the edits made by hooks, in torch operations."""
  made = edits.Edits(*(torch.from_numpy(one) for one in made))
  blocks = theirs.get_decoder().layers

  def edit_heads(layer):
    def hook(_, args):
      out = args[0].unflatten(-1, made.head_fill.shape[2:])
      scale = made.head_scale[layer][:, None, :, None]
      fill = made.head_fill[layer][:, None]
      return ((scale * out + (1 - scale) * fill).flatten(-2),)

    return hook

  def edited(state, k):
    new = state.clone()
    for row in range(new.shape[0]):
      off = state[row] - made.centre[k, row]
      along = sum((off @ g)[:, None] * g for g in made.basis[k, row])
      new[row] -= off - along if made.keep[k, row] else along
      new[row] += made.add[k, row]
      if made.replaced[k, row]:
        new[row] = made.replace[k, row]
    return torch.where(made.at[..., None], new, state)

  def edit_output(k):
    def hook(_, __, output):
      if isinstance(output, tuple):
        return (edited(output[0], k), *output[1:])
      return edited(output, k)

    return hook

  def edit_input(_, args, names):
    if args:
      return (edited(args[0], 0), *args[1:]), names
    return args, names | {"hidden_states": edited(names["hidden_states"], 0)}

  hooks = [blocks[0].register_forward_pre_hook(edit_input, with_kwargs=True)]
  for layer, one in enumerate(blocks):
    attention = one.attention if hasattr(one, "attention") else one.self_attn
    into = attention.dense if hasattr(attention, "dense") else attention.o_proj
    hooks.append(into.register_forward_pre_hook(edit_heads(layer)))
    hooks.append(one.register_forward_hook(edit_output(layer + 1)))
  # Observers come after editors, so that they see what these made.
  seen = torch_models.run(theirs, tokens)
  for hook in hooks:
    hook.remove()
  return seen


def relative(ours, theirs):
  """Largest error per hidden state and row, in units of its size."""
  ours, theirs = np.asarray(ours), np.asarray(theirs)
  error = np.abs(ours - theirs).max(axis=(-2, -1))
  return error / np.sqrt(np.square(theirs).mean(axis=(-2, -1)))


def test_every_edit_equals_torch_hooks(model, monkeypatch):
  theirs, config, params = model
  if config.family != "llama":
    config = dataclasses.replace(config, backend="cpu")
  # Parts that divide neither sequences nor the batch.
  monkeypatch.setattr("icl_graphs.models.block._CPU_TOKENS", 101)
  tokens = tokens_of()
  clean, *_ = torch_models.run(theirs, tokens)
  made = random_edits(config, clean)

  @jax.jit
  def read(params, tokens, made):
    final, seen = edits.read(
      config, params, tokens, made, lambda hidden: hidden
    )
    return seen, final, decoder.logits(params, config, final)

  ours = read(params, tokens, made)
  expected = run_hooked(theirs, tokens, made)
  for name, one, other in zip(
    ("hidden", "final", "logits"), ours, expected, strict=True
  ):
    worst = relative(one, other)
    by_kind = worst.reshape(-1, len(KINDS)).max(axis=0)
    print(name, " ".join(f"{error:.0e}" for error in by_kind))
    assert np.all(worst < TOLERANCE), name
  # The edits are seen at all.
  changed = relative(ours[1], torch_models.run(theirs, tokens)[1])
  assert changed[0] < TOLERANCE and np.all(changed[1:] > 0.1), changed


def test_head_scores_equal_attention_weights(model):
  theirs, config, params = model
  tokens = heads.repeated_tokens(101, count=4, length=50)
  patterns = (heads.previous_token(), heads.induction(50))
  ours = jax.jit(lambda params: heads.scores(config, params, tokens, patterns))(
    params
  )
  with torch.no_grad():
    weights = theirs(
      torch.from_numpy(tokens).long(), output_attentions=True
    ).attentions
  weights = torch.stack(weights).numpy()
  assert ours.shape == (4, 2, config.num_layers, config.num_heads)
  for p, (offset, start) in enumerate(patterns):
    expected = np.mean(
      [weights[..., i, i - offset] for i in range(start, 100)], axis=0
    )
    ours_first = np.moveaxis(ours[:, p], 0, 1)
    np.testing.assert_allclose(ours_first, expected, atol=1e-6)


def test_mean_head_outputs_equal_those_of_torch(model):
  theirs, config, params = model
  tokens = tokens_of()[:3]
  counted = np.random.default_rng(3).random(tokens.shape) < 0.5
  sums = jax.jit(
    lambda params: heads.output_sums(config, params, tokens, counted)
  )(params)
  outputs, hooks = [], []
  for one in theirs.get_decoder().layers:
    attention = one.attention if hasattr(one, "attention") else one.self_attn
    into = attention.dense if hasattr(attention, "dense") else attention.o_proj
    hooks.append(
      into.register_forward_pre_hook(lambda _, args: outputs.append(args[0]))
    )
  torch_models.run(theirs, tokens)
  for hook in hooks:
    hook.remove()
  outputs = torch.stack(outputs).numpy()[:, counted]
  expected = outputs.sum(axis=1).reshape(sums.shape)
  np.testing.assert_allclose(sums, expected, rtol=TOLERANCE, atol=1e-3)
