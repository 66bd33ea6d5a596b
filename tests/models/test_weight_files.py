"""What is in a folder's safetensors files, by their headers alone."""

import json
import os
import struct

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from icl_graphs import errors
from icl_graphs.models import weight_files

TENSORS = {
  "whole": np.arange(6, dtype=np.float32).reshape(2, 3),
  "half": np.arange(3).astype(np.float16),
  "brain": np.arange(5).astype(ml_dtypes.bfloat16),
  "double": np.arange(2, dtype=np.float64),
  "scalar": np.array(7, np.float32),
  "none": np.empty((0, 4), np.float32),
}


@pytest.fixture
def folder(tmp_path):
  safetensors.numpy.save_file(TENSORS, tmp_path / weight_files.SINGLE)
  return tmp_path


def _raw(path, header, data=b""):
  text = header if isinstance(header, bytes) else json.dumps(header).encode()
  path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def _index(folder, text):
  (folder / weight_files.SINGLE).rename(folder / "a.safetensors")
  (folder / weight_files.INDEX).write_text(text)


def _message(folder):
  with pytest.raises(errors.InputError) as caught:
    weight_files.inventory(folder)
  return str(caught.value)


def test_every_weight_is_a_view_of_the_file(folder):
  stored, problems = weight_files.inventory(folder)
  assert not problems and stored.keys() == TENSORS.keys()
  with weight_files.Files() as files:
    for name, expected in TENSORS.items():
      array = files.read(stored[name])
      assert array.dtype == expected.dtype
      assert not array.size or not array.flags.owndata
      np.testing.assert_array_equal(array, expected)
      files.release(stored[name])
      np.testing.assert_array_equal(array, expected)
      assert not array.size or not array.flags.writeable


def test_weights_at_odd_addresses(tmp_path):
  # Bytes before a weight are of other types; nothing says they are even.
  entry = {"dtype": "F32", "shape": [2], "data_offsets": [1, 9]}
  odd = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
  data = b"x" + np.array([1.5, 2.5], np.float32).tobytes()
  _raw(tmp_path / weight_files.SINGLE, {"odd": odd, "weight": entry}, data)
  stored, _ = weight_files.inventory(tmp_path)
  assert not stored["odd"].readable
  with weight_files.Files() as files:
    np.testing.assert_array_equal(files.read(stored["weight"]), [1.5, 2.5])


def test_total_bytes(folder):
  size = (folder / weight_files.SINGLE).stat().st_size
  assert weight_files.total_bytes(folder) == size
  _index(folder, '{"weight_map": {"whole": "b.safetensors"}}')
  with pytest.raises(errors.InputError, match="missing"):
    weight_files.total_bytes(folder)


def test_files_that_shrink_while_they_are_read(folder):
  stored, _ = weight_files.inventory(folder)
  os.truncate(folder / weight_files.SINGLE, stored["whole"].start)
  with weight_files.Files() as files:
    with pytest.raises(errors.InputError, match="shorter"):
      files.read(stored["whole"])
  (folder / weight_files.SINGLE).unlink()
  with weight_files.Files() as files:
    with pytest.raises(errors.InputError, match="missing"):
      files.read(stored["whole"])


def test_links_are_followed(folder):
  # The hub's cache is made of them.
  (folder / weight_files.SINGLE).rename(folder / "blob")
  (folder / weight_files.SINGLE).symlink_to(folder / "blob")
  stored, _ = weight_files.inventory(folder)
  assert stored.keys() == TENSORS.keys()
  (folder / "blob").unlink()
  assert "missing" in _message(folder)


def test_a_pipe_is_not_waited_for(tmp_path):
  os.mkfifo(tmp_path / weight_files.SINGLE)
  assert "missing" in _message(tmp_path)


def test_a_folder_is_no_file(tmp_path):
  (tmp_path / weight_files.SINGLE).mkdir()
  assert "missing" in _message(tmp_path)


@pytest.mark.parametrize(
  ("text", "repeated"),
  [
    ('{"whole": "a.safetensors", "whole": "a.safetensors"}', "whole"),
    ('{"whole": "a.safetensors", "whole": "../../x"}', None),
  ],
)
def test_name_twice_in_the_index(folder, text, repeated):
  _index(folder, f'{{"weight_map": {text}}}')
  if repeated is None:
    assert "same folder" in _message(folder)
    return
  _, (problem,) = weight_files.inventory(folder)
  assert f"more than once: {repeated} (twice in {weight_files.INDEX}" in problem


def test_weight_map_twice_in_the_index(folder):
  one = '"weight_map": {"whole": "a.safetensors"}'
  _index(folder, f"{{{one}, {one}}}")
  _, (problem,) = weight_files.inventory(folder)
  assert "weight_map (twice" in problem


def test_names_of_the_index_that_no_file_has(folder):
  names = dict.fromkeys([*TENSORS, "ghost"], "a.safetensors")
  _index(folder, json.dumps({"weight_map": names}))
  _, (problem,) = weight_files.inventory(folder)
  assert problem == "in no file: ghost (indexed in a.safetensors)"


def test_an_index_that_would_fill_the_memory(folder):
  _index(folder, '{"weight_map": {}, "x": "' + "x" * 2**24 + '"}')
  assert "damaged" in _message(folder)


def test_a_header_that_would_fill_the_memory(tmp_path):
  path = tmp_path / weight_files.SINGLE
  _raw(path, b'{"a":"' + b"[]," * 2**23)
  assert "a header of" in _message(tmp_path)


def test_only_the_header_decides_what_is_stored(tmp_path):
  entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
  metadata = {"format": "pt", "weight": "not one"}
  header = {"__metadata__": metadata, "a": entry | {"more": [[1]]}}
  _raw(tmp_path / weight_files.SINGLE, header, b"1234")
  stored, problems = weight_files.inventory(tmp_path)
  assert list(stored) == ["a"] and not problems


@pytest.mark.parametrize("name", ["", "\n", "\x1b[2J", "x" * 1000, "ü"])
def test_any_name_can_be_shown(name):
  shown = weight_files.printable(name)
  assert shown.isprintable() and 0 < len(shown) <= 120


def test_unreadable_folder(tmp_path):
  with pytest.raises(errors.InputError, match="no \\*.safetensors"):
    weight_files.inventory(tmp_path / "absent")
