"""Thousands of damaged folders: refused with a reason, or read; never else.

Every case is drawn from its own seed, which a failure names.
"""

import json
import random
import resource
import struct
import time
import warnings

import pytest
import transformers

from icl_graphs import errors
from icl_graphs.models import checkpoint, families, weight_files
from tests import random_checkpoint
from tests.models import mutations, published

# In one case, in seconds of this process and in kilobytes of all of it.
_SLOWEST = 5.0
_MEMORY = 400 * 1024
CONFIGS = 3000
FILES = 3000

TINY = {
  "model_type": "llama",
  "vocab_size": 5,
  "hidden_size": 4,
  "intermediate_size": 3,
  "num_hidden_layers": 1,
  "num_attention_heads": 2,
  "num_key_value_heads": 1,
  "head_dim": 2,
}


def _real_configs():
  """A config.json of every family, as written today and as on the hub."""
  configs = [TINY, *published.MODELS.values()]
  kinds = {config["model_type"] for config in configs}
  assert len(kinds) >= 12
  for kind in sorted(kinds):
    made = transformers.CONFIG_MAPPING[kind]()
    configs.append(json.loads(made.to_json_string(use_diff=False)))
  return configs


def _attempt(seed, read):
  """Whether `read` succeeds; anything but success and refusal fails."""
  begin = time.process_time()
  try:
    with warnings.catch_warnings():
      # Random bytes are often not numbers; that is only a warning.
      warnings.simplefilter("ignore", UserWarning)
      read()
    succeeded = True
  except errors.InputError as error:
    length = len(str(error))
    assert 0 < length < 4000, f"seed {seed}: a reason of {length} letters"
    succeeded = False
  # Rust's panics are no Exceptions.
  except BaseException as error:
    raise AssertionError(f"seed {seed}: {error!r}") from error
  assert time.process_time() - begin < _SLOWEST, f"seed {seed} is slow"
  return succeeded


def _peak_memory():
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_configs(tmp_path):
  originals = _real_configs()
  before, read = _peak_memory(), 0
  for seed in range(CONFIGS):
    rng = random.Random(seed)
    config = rng.choice(originals)
    if rng.random() < 0.75:
      content = mutations.dump(rng, mutations.change(rng, config))
    else:
      content = mutations.damage(rng, json.dumps(config).encode())
    (tmp_path / "config.json").write_bytes(content)

    def use():
      made = families.read_config(tmp_path)
      hash(made)
      families.canonical(made, "model.norm.weight")
      for row in families.table(made):
        row.shape(made.axis_sizes)
        row.stored_shape(made.axis_sizes)

    read += _attempt(seed, use)
  assert _peak_memory() - before < _MEMORY
  # Neither is everything refused nor everything accepted.
  assert 0.02 * CONFIGS < read < 0.6 * CONFIGS


def _header_and_data(path):
  content = path.read_bytes()
  (size,) = struct.unpack("<Q", content[:8])
  return json.loads(content[8 : 8 + size]), content[8 + size :]


def _file(rng, header, data):
  """A damaged safetensors file."""
  kind = rng.randrange(10)
  text = json.dumps(header).encode()
  if kind < 5:
    text = mutations.dump(rng, mutations.change(rng, header))
  elif kind == 5:
    text = mutations.damage(rng, text)
  elif kind == 6:
    name = rng.choice(list(header))
    again = json.dumps({name: rng.choice(list(header.values()))}).encode()
    text = text[:-1] + b", " + again[1:]
  elif kind == 7:
    data = mutations.damage(rng, data)
  size = len(text)
  if kind == 8:
    size = rng.choice(
      (0, 1, size - 1, size + 1, 2**20, 2**31, 2**63, 2**64 - 1)
    )
  content = struct.pack("<Q", size) + text + data
  return mutations.damage(rng, content) if kind == 9 else content


@pytest.fixture
def parts(tmp_path):
  """Header and data of a tiny model, and of its two shards."""
  random_checkpoint.write(tmp_path / "tiny", TINY)
  return _header_and_data(tmp_path / "tiny" / weight_files.SINGLE)


def test_safetensors_files(tmp_path, parts):
  header, data = parts
  config = families.translate(TINY)
  folder = tmp_path / "model"
  folder.mkdir()
  before, read = _peak_memory(), 0
  for seed in range(FILES):
    content = _file(random.Random(seed), header, data)
    (folder / weight_files.SINGLE).write_bytes(content)
    read += _attempt(seed, lambda: checkpoint.load(folder, config))
  assert _peak_memory() - before < _MEMORY
  assert 0 < read < 0.4 * FILES


def test_indices(tmp_path, parts):
  header, data = parts
  config = families.translate(TINY)
  folder = tmp_path / "model"
  folder.mkdir()
  names = [name for name in header if name != "__metadata__"]
  for file, members in (("a", names[::2]), ("b", names[1::2])):
    _write_shard(folder / f"{file}.safetensors", members, header, data)
  weight_map = {
    name: f"{'ab'[k % 2]}.safetensors" for k, name in enumerate(names)
  }
  index = {"metadata": {"total_size": len(data)}, "weight_map": weight_map}
  path = folder / weight_files.INDEX
  path.write_text(json.dumps(index))
  assert _attempt("none", lambda: checkpoint.load(folder, config))
  before, read = _peak_memory(), 0
  for seed in range(1000):
    rng = random.Random(seed)
    content = mutations.dump(rng, mutations.change(rng, index))
    if rng.random() < 0.3:
      content = mutations.damage(rng, json.dumps(index).encode())
    path.write_bytes(content)
    read += _attempt(seed, lambda: checkpoint.load(folder, config))
  assert _peak_memory() - before < _MEMORY
  assert 0 < read < 500


def _write_shard(path, names, header, data):
  entries, kept = {}, b""
  for name in names:
    start, stop = header[name]["data_offsets"]
    offsets = [len(kept), len(kept) + stop - start]
    entries[name] = header[name] | {"data_offsets": offsets}
    kept += data[start:stop]
  text = json.dumps(entries).encode()
  path.write_bytes(struct.pack("<Q", len(text)) + text + kept)
