"""Pages in a real browser, Debian's Chromium, as somebody reads them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip
PATIENCE_MS = 120_000


@contextmanager
def browsing() -> Iterator[Browser]:
    """Lend Chromium; without it skip, unless in continuous integration."""
    program = shutil.which("chromium")
    if program is None and "CI" not in os.environ:
        pytest.skip("no Chromium: make packages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(ARGUMENTS), timeout=PATIENCE_MS
        )
        try:
            yield browser
        finally:
            browser.close()


class Reader:
    """Somebody who has a page before them, with a ``width`` and a preference for ``mode``.

    ``complaints`` are what the browser had against it, ``requests`` what the page asked the network
    for.
    """

    def __init__(
        self, browser: Browser, path: Path, width: int = 1200, mode: Any = "light"
    ) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=mode, accept_downloads=True
        )
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", lambda message: self._complain(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._ask(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-drawn]", state="attached")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def _complain(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def _ask(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.requests.append(url)

    def traces(self, figure: str) -> int:
        """Return how many traces a figure shows."""
        found: int = self.page.evaluate(
            "name => document.querySelector(`#figure-${name} .plot`).data.length", figure
        )
        return found
