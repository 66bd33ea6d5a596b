"""A stand-in for the Hugging Face hub: the few answers a download needs.

`python hub_server.py FOLDER` is not offered: tests start it in a thread and
point HF_ENDPOINT of another process at it.
"""

import hashlib
import http.server
import json
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secret"
REVISIONS = ("main", "v1", COMMIT)


class Hub:
  """Serves models held in memory; use as a context manager.

  Attributes:
    models: per id, file name to content. "owner/gated" wants TOKEN.
    requests: (method, path, authorisation) of everything asked so far.
    url: where it listens.
  """

  def __init__(self, models: dict[str, dict[str, bytes]]):
    self.models = models
    self.requests: list[tuple[str, str, str | None]] = []
    self._server = http.server.ThreadingHTTPServer(
      ("127.0.0.1", 0), _handler(self)
    )
    self.url = f"http://127.0.0.1:{self._server.server_port}"

  def __enter__(self):
    threading.Thread(target=self._server.serve_forever, daemon=True).start()
    return self

  def __exit__(self, *_):
    self._server.shutdown()
    self._server.server_close()

  def downloaded(self) -> set[str]:
    """Names of the files whose content was sent."""
    return {
      path.rsplit("/", 1)[1]
      for method, path, _ in self.requests
      if method == "GET" and "/resolve/" in path
    }


def _handler(hub: Hub) -> type[http.server.BaseHTTPRequestHandler]:
  class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
      pass

    def do_HEAD(self):
      self._answer(body=False)

    def do_GET(self):
      self._answer(body=True)

    def _answer(self, body):
      path = self.path.split("?")[0]
      allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
      hub.requests.append(
        (self.command, path, self.headers.get("Authorization"))
      )
      is_api = path.startswith("/api/models/")
      parts = path.removeprefix("/api/models").strip("/").split("/")
      model = "/".join(parts[:2])
      kind, revision = (*parts[2:], "", "")[:2]
      if model not in hub.models:
        return self._refuse(401, "RepoNotFound")
      files = hub.models[model]
      if kind in ("revision", "tree", "resolve") and revision not in REVISIONS:
        return self._refuse(404, "RevisionNotFound")
      if is_api and kind == "revision":
        return self._send({"id": model, "sha": COMMIT, "siblings": []}, body)
      if is_api and kind == "tree":
        return self._send(
          [
            {
              "type": "file",
              "path": name,
              "size": len(content),
              "oid": hashlib.sha1(content).hexdigest(),
            }
            for name, content in files.items()
          ],
          body,
        )
      if model == "owner/gated" and not allowed:
        return self._refuse(403, "GatedRepo")
      self._send(files["/".join(parts[4:])], body)

    def _refuse(self, status, code):
      self.send_response(status)
      self.send_header("X-Error-Code", code)
      self.send_header("Content-Length", "0")
      self.end_headers()

    def _send(self, content, body):
      json_type = not isinstance(content, bytes)
      if json_type:
        content = json.dumps(content).encode()
      self.send_response(200)
      self.send_header("Content-Length", str(len(content)))
      self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
      self.send_header("X-Repo-Commit", COMMIT)
      if json_type:
        self.send_header("Content-Type", "application/json")
      self.end_headers()
      if body:
        self.wfile.write(content)

  return Handler
