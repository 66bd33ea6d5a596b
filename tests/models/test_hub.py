"""Where models come from, and what to do when they do not."""

import pathlib
import shutil

import huggingface_hub
from huggingface_hub import errors as hub_errors
import pytest

from icl_graphs import errors
from icl_graphs.models import families, hub


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


def test_download_asks_for_one_weight_format(monkeypatch, tmp_path):
  asked = {}

  def download(repo, **options):
    asked.update(options, repo=repo)
    return str(tmp_path)

  monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
  folder = hub.resolve(
    "owner/model", revision="v1", token="secret", cache_dir=tmp_path
  )
  assert folder == tmp_path
  assert asked["repo"] == "owner/model" and asked["revision"] == "v1"
  assert asked["token"] == "secret" and asked["cache_dir"] == tmp_path
  wanted = set(
    huggingface_hub.utils.filter_repo_objects(
      [
        "config.json",
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "special_tokens_map.json",
        "pytorch_model.bin",
        "original/consolidated.00.pth",
        "consolidated.safetensors",
        "onnx/model.safetensors",
        "modeling_custom.py",
      ],
      allow_patterns=asked["allow_patterns"],
      ignore_patterns=asked["ignore_patterns"],
    )
  )
  assert wanted == {
    "config.json",
    "model.safetensors",
    "model-00001-of-00002.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
  }


def test_tokenizer_files_are_needed(tmp_path):
  with pytest.raises(errors.InputError, match="tokenizer"):
    hub.load_tokenizer(tmp_path)


def test_damaged_tokenizer(tmp_path, stories):
  for name in ("config.json", "tokenizer_config.json"):
    shutil.copyfile(stories / name, tmp_path / name)
  (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
  with pytest.raises(errors.InputError, match="cannot be loaded"):
    hub.load_tokenizer(tmp_path)


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
