"""The listing and the page of visits in a headless Chromium."""
import os
import shutil
import subprocess
import sys
import tempfile

from running import running
from service import make_files, port_of

PROGRAM = sys.argv[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome",
         "headless_shell")
# Steps of a form, as a page that runs them in a frame of the same origin.
STEPS = b"""<!DOCTYPE html><meta charset="utf-8"><p id="result">running</p>
<iframe id="f"></iframe><script>
const frame = document.getElementById('f');
const load = (start) => new Promise((done) => {
  frame.onload = () => done(frame.contentDocument);
  start();
});
(async () => {
  let page = await load(() => { frame.src = '/visits'; });
  page = await load(() => frame.contentWindow.location.reload());
  const visits = page.getElementById('visits').textContent;
  page.querySelector('input').value = '<Ada>';
  page = await load(() => page.querySelector('button').click());
  const greeting = page.querySelector('h1').textContent;
  page = await load(() => page.querySelector('button').click());
  const left = page.querySelector('h1').textContent;
  document.getElementById('result').textContent =
      [visits, greeting, left, document.cookie].join('|');
})();
</script>
"""


def rendered(browser, url, *options):
    """The page's document once its scripts have run."""
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu",
             f"--user-data-dir={profile}", "--virtual-time-budget=20000",
             *options, "--dump-dom", url],
            capture_output=True, check=True, timeout=120).stdout.decode()


def check(what, condition, page):
    print(f"{what}: {'ok' if condition else 'FAILED'}")
    if not condition:
        sys.exit(page)


def main():
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        print("skipped: no Chromium is installed")
        return 77
    with tempfile.TemporaryDirectory() as directory:
        make_files(directory)
        with open(os.path.join(directory, "steps.html"), "wb") as file:
            file.write(STEPS)
        with running(PROGRAM, "--quiet", "--directory", directory,
                     "0") as server:
            base = f"http://127.0.0.1:{port_of(server)}"
            page = rendered(browser, base + "/list/")
            check("listing", '<a href="%3Cc%3E.bin">&lt;c&gt;.bin</a>' in page,
                  page)
            page = rendered(browser, base + "/list/", "--window-size=360,640")
            check("listing on a phone", "a.bin" in page, page)
            page = rendered(browser, base + "/steps.html")
            check("visits", "2|Hello, &lt;Ada&gt;|Hello|" in page, page)
    return 0


sys.exit(main())
