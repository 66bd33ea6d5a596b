"""Where models come from, and what to do when they do not."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import huggingface_hub
from huggingface_hub import errors as hub_errors
import pytest

from icl_graphs import errors
from icl_graphs.models import checkpoint, families, hub
from tests import programs
from tests.models import hub_server


def _refusal(*args, **options):
  with pytest.raises(errors.InputError) as caught:
    hub.resolve(*args, **options)
  return str(caught.value)


def test_an_existing_folder_is_itself(tmp_path):
  assert hub.resolve(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("name", ["./absent", "/absent/model", "~/absent/x"])
def test_absent_folder(name):
  assert "does not exist" in _refusal(name)


def test_a_revision_needs_the_hub(tmp_path):
  assert "revision" in _refusal(str(tmp_path), revision="main")
  assert "revision" in _refusal("bundled:x", revision="main")


def test_bundled_models_are_listed(tmp_path, monkeypatch):
  for name in ("walks", "walks-2"):
    (tmp_path / name).mkdir()
    (tmp_path / name / "config.json").write_text("{}")
  (tmp_path / "no-model").mkdir()
  monkeypatch.setattr(hub, "_BUNDLED", tmp_path)
  assert hub.bundled() == ("walks", "walks-2")
  assert hub.resolve("bundled:walks") == tmp_path / "walks"
  for name in (
    "bundled:absent",
    "bundled:../x",
    "bundled:",
    "bundled:no-model",
  ):
    message = _refusal(name)
    assert "bundled:walks, bundled:walks-2" in message


def test_every_bundled_model_is_complete():
  for name in hub.bundled():
    folder = hub.resolve(f"bundled:{name}")
    config = families.read_config(folder)
    tokenizer = hub.load_tokenizer(folder)
    assert len(tokenizer) <= config.vocab_size


def test_hub_id_without_network():
  message = _refusal("no-such-owner/no-such-model")
  assert "no-such-owner/no-such-model" in message
  assert "network" in message and "HF_HUB_OFFLINE" in message


@pytest.mark.parametrize("name", ["", "two words", "a/b/c", "x" * 200])
def test_impossible_names(name):
  assert _refusal(name)


def _error(kind):
  # Built without a server's response, which their constructors ask for.
  error = kind.__new__(kind)
  Exception.__init__(error, "server said no")
  return error


@pytest.mark.parametrize(
  ("kind", "advice"),
  [
    (hub_errors.GatedRepoError, "licence"),
    (hub_errors.RepositoryNotFoundError, "spelling"),
    (hub_errors.RevisionNotFoundError, "revision"),
    (hub_errors.LocalEntryNotFoundError, "network"),
    (hub_errors.OfflineModeIsEnabled, "network"),
    (RuntimeError, "could not be downloaded"),
  ],
)
def test_failed_downloads_say_what_to_do(monkeypatch, kind, advice):
  def fail(*_, **__):
    raise _error(kind)

  monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
  message = _refusal("owner/model", revision="v1")
  assert advice in message and "owner/model" in message


_ON_THE_HUB = (
  "config.json",
  "generation_config.json",
  "merges.txt",
  "model-00001-of-00002.safetensors",
  "model-00002-of-00002.safetensors",
  "model.safetensors.index.json",
  "special_tokens_map.json",
  "tokenizer.json",
  "tokenizer.model",
  "tokenizer_config.json",
  "vocab.json",
  # Other formats, second copies and code.
  "README.md",
  "consolidated.safetensors",
  "flax_model.msgpack",
  "model.fp16.safetensors",
  "modeling_custom.py",
  "onnx/model.onnx",
  "onnx/model.safetensors",
  "original/consolidated.00.pth",
  "pytorch_model.bin",
  "tf_model.h5",
)
_WANTED = {*_ON_THE_HUB[:11]} - {"generation_config.json"}
_DOWNLOAD = """
import json, sys
from icl_graphs import errors
from icl_graphs.models import hub
for options in json.loads(sys.argv[1]):
  try:
    folder = hub.resolve(**options)
    print(json.dumps([str(folder), sorted(p.name for p in folder.iterdir())]))
  except errors.InputError as error:
    print(json.dumps([None, str(error)]))
"""


def _download(endpoint, home, *calls):
  """What a process with this hub gets: per call a folder and its files."""
  environment = os.environ | {
    "HF_ENDPOINT": endpoint,
    "HF_HOME": str(home),
    "HF_HUB_OFFLINE": "0",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
  }
  environment.pop("HF_TOKEN", None)
  done = subprocess.run(
    [sys.executable, "-c", _DOWNLOAD, json.dumps(calls)],
    cwd=programs.REPOSITORY,
    env=environment,
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert not done.returncode, done.stderr
  return [json.loads(line) for line in done.stdout.splitlines()]


def test_downloads_from_a_hub(tmp_path):
  """The real client against a small server."""
  files = {name: name.encode() for name in _ON_THE_HUB}
  models = {"owner/open": files, "owner/gated": files}
  cache = str(tmp_path / "cache")
  with hub_server.Hub(models) as server:
    answers = _download(
      server.url,
      tmp_path / "home",
      {"model": "owner/open", "cache_dir": cache},
      {"model": "owner/open", "cache_dir": cache, "revision": "v1"},
      {"model": "owner/open", "cache_dir": cache, "revision": "v2"},
      {"model": "owner/gated"},
      {"model": "owner/gated", "token": hub_server.TOKEN},
      {"model": "owner/absent"},
    )
    requests = server.requests
  first, again, no_revision, gated, allowed, absent = answers
  assert first[0].startswith(cache) and set(first[1]) == _WANTED
  assert server.downloaded() == _WANTED
  # Same commit: found in the cache, nothing is downloaded twice.
  assert again == first
  of_open = [path for method, path, _ in requests if method == "GET"]
  assert sum("open/resolve" in path for path in of_open) == len(_WANTED)
  assert no_revision == [
    None,
    "the model 'owner/open' has no revision 'v2'; see its hub page",
  ]
  assert gated[0] is None and "accept its licence" in gated[1]
  assert allowed[0].startswith(str(tmp_path / "home"))
  assert set(allowed[1]) == _WANTED
  assert {token for _, path, token in requests if "open" in path} == {None}
  assert ("GET", f"/owner/gated/resolve/{hub_server.COMMIT}/config.json") in [
    (method, path)
    for method, path, token in requests
    if token == f"Bearer {hub_server.TOKEN}"
  ]
  assert absent[0] is None and "check the spelling" in absent[1]
  # The server is gone: the cache still answers, and says what it lacks.
  offline = _download(
    server.url,
    tmp_path / "home",
    {"model": "owner/open", "cache_dir": cache},
    {"model": "owner/other", "cache_dir": cache},
  )
  assert offline[0] == first
  assert offline[1][0] is None and "check the network" in offline[1][1]


def test_tokenizer_files_are_needed(tmp_path):
  with pytest.raises(errors.InputError, match="tokenizer"):
    hub.load_tokenizer(tmp_path)


def test_damaged_tokenizer(tmp_path, stories):
  for name in ("config.json", "tokenizer_config.json"):
    shutil.copyfile(stories / name, tmp_path / name)
  (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
  with pytest.raises(errors.InputError, match="cannot be loaded"):
    hub.load_tokenizer(tmp_path)


_TRAP = """
import pathlib
pathlib.Path({marker!r}).write_text("executed")
class X:
  def __init__(self, *args, **kwargs):
    pass
  from_pretrained = classmethod(lambda cls, *args, **kwargs: cls())
"""


@pytest.fixture
def trapped(tiny_model, tmp_path):
  """A complete model whose folder has code that leaves a marker when run."""
  folder = tmp_path / "trapped"
  shutil.copytree(tiny_model, folder)
  code = _TRAP.format(marker=str(tmp_path / "marker"))
  for name in ("modeling_x", "configuration_x", "tokenization_x", "__init__"):
    (folder / f"{name}.py").write_text(code)
  return folder


def _extend(path, **fields):
  path.write_text(json.dumps(json.loads(path.read_text()) | fields))


_AUTO_MODEL = {
  "AutoConfig": "configuration_x.X",
  "AutoModelForCausalLM": "modeling_x.X",
}


def test_code_in_the_folder_is_refused_and_never_run(trapped, tmp_path):
  _extend(trapped / "config.json", auto_map=_AUTO_MODEL)
  with pytest.raises(errors.InputError, match="auto_map"):
    families.read_config(trapped)
  hub.load_tokenizer(trapped)
  _extend(
    trapped / "tokenizer_config.json",
    tokenizer_class="X",
    trust_remote_code=True,
    auto_map={"AutoTokenizer": ["tokenization_x.X", "tokenization_x.X"]},
  )
  with pytest.raises(errors.InputError, match="would run code from it"):
    hub.load_tokenizer(trapped)
  assert not (tmp_path / "marker").exists()


def test_code_in_the_folder_is_not_run_when_all_is_well(trapped, tmp_path):
  config = families.read_config(trapped)
  checkpoint.load(hub.resolve(str(trapped)), config)
  hub.load_tokenizer(trapped)
  assert not (tmp_path / "marker").exists()
  # The trap works.
  subprocess.run([sys.executable, str(trapped / "modeling_x.py")], check=True)
  assert (tmp_path / "marker").exists()


def test_tokenizer_of_a_known_class_that_brings_its_own(trapped, tmp_path):
  _extend(
    trapped / "tokenizer_config.json",
    auto_map={"AutoTokenizer": ["tokenization_x.X", None]},
  )
  with pytest.raises(errors.InputError, match="would run code from it"):
    hub.load_tokenizer(trapped)
  assert not (tmp_path / "marker").exists()


def test_bos_is_what_the_tokenizer_adds(shared, stories):
  config = families.read_config(stories)
  assert hub.bos_ids(hub.load_tokenizer(stories), config) == (1,)
  tokenizers = shared / "data" / "tokenizers"
  assert _bos(tokenizers / "gpt2", config) == ()
  assert _bos(tokenizers / "mistral-v3", config) == (1,)


def _bos(folder: pathlib.Path, config):
  return hub.bos_ids(hub.load_tokenizer(folder), config)


class _Tokenizer:
  """Adds begin and end tokens around two others."""

  def __init__(self, begin=(70,), changed=False):
    self.begin, self.changed = begin, changed

  def __call__(self, text, add_special_tokens):
    del text
    if not add_special_tokens:
      return {"input_ids": [7, 8]}
    return {"input_ids": [*self.begin, *([9] if self.changed else [7, 8]), 3]}


def test_bos_of_unusual_tokenizers(stories):
  config = families.read_config(stories)
  assert hub.bos_ids(_Tokenizer(begin=(5, 6)), config) == (5, 6)
  with pytest.raises(errors.InputError, match="belong together"):
    hub.bos_ids(_Tokenizer(begin=(config.vocab_size,)), config)
  with pytest.raises(errors.InputError, match="differently"):
    hub.bos_ids(_Tokenizer(changed=True), config)
