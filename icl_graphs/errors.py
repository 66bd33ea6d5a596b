"""Exceptions that programs turn into an exit status, shared by every room."""


class InputError(ValueError):
  """Bad input: the message names the thing at fault and the remedy.

  Programs under `launch/` print it and exit with status 2. Any other exception
  that escapes is a bug of this package.
  """


class LostHostError(RuntimeError):
  """Another host of the run stopped; what is saved can be resumed.

  Programs under `launch/` print it and exit with status 3.
  """
