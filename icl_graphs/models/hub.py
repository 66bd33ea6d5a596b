"""Where models come from: a folder, this package, or the Hugging Face hub.

Nothing from a model folder is ever executed: weights are safetensors, and
tokenizers are loaded without remote code.
"""

import json
import pathlib
from typing import Any

import huggingface_hub
from huggingface_hub import errors as hub_errors

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models import weight_files

BUNDLED_PREFIX = "bundled:"
_BUNDLED = pathlib.Path(__file__).parent.parent / "bundled"

# The one weight format that is read, and no second copy of the weights.
_WANTED = [
  "config.json",
  weight_files.SINGLE,
  "model-*.safetensors",
  weight_files.INDEX,
  "tokenizer.json",
  "tokenizer.model",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
]
_UNWANTED = ["*/*"]

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json")


def resolve(
  model: str,
  *,
  revision: str | None = None,
  token: str | None = None,
  cache_dir: str | pathlib.Path | None = None,
) -> pathlib.Path:
  """The folder of a model, downloaded if need be.

  Args:
    model: an existing folder, `bundled:NAME`, or a hub id such as
      `owner/name`.
    revision: branch, tag or commit; hub ids only.
    token: for gated and private models; by default the one stored by
      `hf auth login`.
    cache_dir: where downloads live; by default the hub's usual cache.

  Returns:
    A folder with config.json, safetensors and tokenizer files.

  Raises:
    errors.InputError: no such folder or bundled model; a missing, gated or
      unreachable hub model. The message says what to do.
  """
  if not model:
    raise errors.InputError("no model given; try a folder or a hub id")
  here = pathlib.Path(model).expanduser()
  if revision and (model.startswith(BUNDLED_PREFIX) or here.is_dir()):
    raise errors.InputError(
      f"{model!r} is not on the hub and has no revision {revision!r}; drop"
      " either"
    )
  if model.startswith(BUNDLED_PREFIX):
    name = model.removeprefix(BUNDLED_PREFIX)
    available = bundled()
    if name not in available:
      raise errors.InputError(
        f"no bundled model {name!r}; available: "
        + (", ".join(f"{BUNDLED_PREFIX}{one}" for one in available) or "none")
      )
    return _BUNDLED / name
  if here.is_dir():
    return here
  if here.is_absolute() or model.startswith((".", "~")):
    raise errors.InputError(f"the model folder {model!r} does not exist")
  return _download(model, revision, token, cache_dir)


def bundled() -> tuple[str, ...]:
  """Names of the models that ship with this package."""
  return tuple(
    sorted(path.parent.name for path in _BUNDLED.glob("*/config.json"))
  )


def _download(model, revision, token, cache_dir) -> pathlib.Path:
  at = f"{model!r}" + (f" at revision {revision!r}" if revision else "")
  try:
    return pathlib.Path(
      huggingface_hub.snapshot_download(
        model,
        revision=revision,
        token=token,
        cache_dir=cache_dir,
        allow_patterns=_WANTED,
        ignore_patterns=_UNWANTED,
      )
    )
  except hub_errors.HFValidationError as error:
    raise errors.InputError(
      f"{model!r} is neither an existing folder, nor {BUNDLED_PREFIX}NAME, nor"
      " a hub id (owner/name)"
    ) from error
  except hub_errors.GatedRepoError as error:
    raise errors.InputError(
      f"the model {at} is gated: accept its licence on its hub page, then log"
      " in with `hf auth login` or set HF_TOKEN"
    ) from error
  except hub_errors.RevisionNotFoundError as error:
    raise errors.InputError(
      f"the model {model!r} has no revision {revision!r}; see its hub page"
    ) from error
  except hub_errors.RepositoryNotFoundError as error:
    raise errors.InputError(
      f"the hub has no model {at}, or it is private: check the spelling, or log"
      " in with `hf auth login` or set HF_TOKEN"
    ) from error
  except (hub_errors.LocalEntryNotFoundError, ConnectionError) as error:
    raise errors.InputError(
      f"the model {at} is not an existing folder, not in the local cache, and"
      " the hub cannot be reached: check the network and HF_HUB_OFFLINE, or"
      " give the folder of a model you have"
    ) from error
  # The hub's transport raises the types of whichever HTTP library it uses.
  except Exception as error:
    raise errors.InputError(
      f"the model {at} could not be downloaded: {error}"
    ) from error


def load_tokenizer(folder: pathlib.Path) -> Any:
  """The tokenizer of a model folder, as transformers loads it.

  Raises:
    errors.InputError: no tokenizer files, damaged ones, or a tokenizer that
      would need code from the folder.
  """
  # Slow to import, and the only use of transformers in the package.
  import transformers

  folder = pathlib.Path(folder)
  if not any((folder / name).exists() for name in _TOKENIZER_FILES):
    raise errors.InputError(
      f"{folder} has no tokenizer: one of {', '.join(_TOKENIZER_FILES)} is"
      " needed"
    )
  if _tokenizer_settings(folder).get("auto_map"):
    raise errors.InputError(
      f"the tokenizer of {folder} would run code from it (auto_map in"
      " tokenizer_config.json), which is never done; give the folder a"
      " tokenizer.json and remove auto_map"
    )
  try:
    return transformers.AutoTokenizer.from_pretrained(
      str(folder), trust_remote_code=False, local_files_only=True
    )
  # Damaged files surface as errors of several libraries, Rust's included.
  except Exception as error:
    raise errors.InputError(
      f"the tokenizer of {folder} cannot be loaded: {error}"
    ) from error


def _tokenizer_settings(folder: pathlib.Path) -> dict[str, Any]:
  path = folder / "tokenizer_config.json"
  try:
    settings = json.loads(path.read_text(encoding="utf-8"))
  except FileNotFoundError:
    return {}
  except (OSError, ValueError, RecursionError) as error:
    raise errors.InputError(f"{path} cannot be read: {error}") from error
  if not isinstance(settings, dict):
    raise errors.InputError(f"{path} is damaged: it must hold an object")
  return settings


def bos_ids(
  tokenizer: Any, config: config_lib.DecoderConfig
) -> tuple[int, ...]:
  """Token ids in front of every prompt: what the tokenizer itself puts there.

  Args:
    tokenizer: as returned by `load_tokenizer`.
    config: of the model; families with a policy of their own will need it.

  Returns:
    Usually one id (Llama, Gemma) or none (Qwen, GPT-2).

  Raises:
    errors.InputError: the model has no embedding for such a token.
  """
  plain, full = _with_and_without_special(tokenizer)
  for start in range(len(full) - len(plain) + 1):
    if full[start : start + len(plain)] == plain:
      break
  else:
    raise errors.InputError(
      "the tokenizer splits the same text differently with and without special"
      " tokens, so that its beginning-of-sequence token cannot be told apart"
    )
  prefix = tuple(full[:start])
  if any(token >= config.vocab_size for token in prefix):
    raise errors.InputError(
      f"the tokenizer begins every text with {prefix}, but the model has"
      f" {config.vocab_size} tokens: tokenizer and model do not belong together"
    )
  return prefix


def _with_and_without_special(tokenizer: Any) -> tuple[list[int], list[int]]:
  """Ids of one text without and with special tokens."""
  for text in ("the", ","):
    try:
      return tuple(
        list(tokenizer(text, add_special_tokens=special)["input_ids"])
        for special in (False, True)
      )
    # Word-level vocabularies without an unknown token refuse strange words, as
    # an exception of their own library.
    except Exception as error:
      refusal = error
  raise errors.InputError(
    f"the tokenizer encodes neither a word nor a comma: {refusal}"
  ) from refusal
