"""What all programs share: where compiled code is kept."""

import jax
import pytest

from launch import compiled


@pytest.fixture
def kept(monkeypatch):
  """The cache directory as jax has it, and back to what it was."""
  monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
  before = jax.config.jax_compilation_cache_dir
  yield lambda: jax.config.jax_compilation_cache_dir
  jax.config.update("jax_compilation_cache_dir", before)


def test_usual_folder_is_the_users(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  folder = compiled.usual_folder()
  assert folder.is_relative_to(tmp_path / "icl_graphs")
  assert folder == compiled.usual_folder()
  monkeypatch.delenv("XDG_CACHE_HOME")
  monkeypatch.setenv("HOME", str(tmp_path / "home"))
  assert compiled.usual_folder().is_relative_to(tmp_path / "home" / ".cache")


def test_keep_unless_told_otherwise(kept, monkeypatch, tmp_path):
  jax.config.update("jax_compilation_cache_dir", None)
  for nowhere in ("", None):
    compiled.keep(nowhere)
    assert kept() is None
  compiled.keep(str(tmp_path))
  assert kept() == str(tmp_path)
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
  compiled.keep(str(tmp_path / "other"))
  assert kept() == str(tmp_path)
