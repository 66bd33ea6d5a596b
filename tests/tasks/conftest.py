"""The five real tokenizers, each loaded once."""

import pytest
import transformers


@pytest.fixture(
  scope="session", params=["gpt2", "neox", "olmo2", "qwen3", "mistral-v3"]
)
def tokenizer(request, shared):
  """A tokenizer; its attribute `folder` names it."""
  folder = shared / "data" / "tokenizers" / request.param
  loaded = transformers.AutoTokenizer.from_pretrained(folder)
  loaded.folder = request.param
  return loaded
