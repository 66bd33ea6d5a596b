"""Pages in a real browser, without a screen: what they do and what they say.

A check is a script put at the end of a copy of the page. It uses the page as a
reader would and leaves what it found in the document, which the browser prints.
"""

import html
import json
import pathlib
import re
import shutil
import subprocess

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Before anything of the page runs: whatever goes wrong is written down.
_WATCH = """<script>
window.problems = [];
addEventListener('error', (event) => problems.push(String(event.message)));
addEventListener('unhandledrejection',
  (event) => problems.push(String(event.reason)));
console.error = console.warn = (...all) => problems.push(all.join(' '));
window.slideTo = (input, value) => {
  input.value = value;
  input.dispatchEvent(new Event('input', {bubbles: true}));
  input.dispatchEvent(new Event('change', {bubbles: true}));
};
</script>"""
_TELL = """<script>
addEventListener('load', () => setTimeout(() => {
  let found = null;
  try { found = (() => { %s })(); }
  catch (error) { problems.push(String(error)); }
  const told = document.createElement('pre');
  told.id = 'told';
  told.textContent = JSON.stringify({found, problems});
  document.body.append(told);
}, 300));
</script>"""


def use(page: pathlib.Path, script: str, folder: pathlib.Path) -> dict:
  """Runs the body of a function in a page.

  Args:
    page: an HTML file.
    script: JavaScript statements that return something; `slideTo(input, value)`
      moves a slider.
    folder: for the copy and the browser's own files.

  Returns:
    {"found": what the script returned, "problems": errors and warnings}.
    Skips the test where there is no browser.
  """
  browser = next(filter(None, map(shutil.which, _NAMES)), None)
  if browser is None:
    pytest.skip("no browser")
  text = page.read_text(encoding="utf-8")
  text = text.replace("<head>", "<head>" + _WATCH, 1)
  text = text.replace("</body>", _TELL % script + "</body>", 1)
  copy = folder / "used.html"
  copy.write_text(text, encoding="utf-8")
  done = subprocess.run(
    [
      *(browser, "--headless", "--no-sandbox", "--disable-gpu"),
      *("--virtual-time-budget=4000", "--window-size=1200,900"),
      f"--user-data-dir={folder / 'browser'}",
      *("--dump-dom", copy.as_uri()),
    ],
    capture_output=True,
    text=True,
    timeout=120,
  )
  told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
  assert told, f"the page told nothing: {done.stderr[-2000:]}"
  return json.loads(html.unescape(told.group(1)))
