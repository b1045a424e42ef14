"""The page of the API in a real browser, without the world outside."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.support.door import Served

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH: the page of the API was not looked at")
async def test_the_page_shows_every_operation_and_needs_nobody_elses_files(server: Served, tmp_path: Path) -> None:
    browser = await asyncio.create_subprocess_exec(
        str(BROWSER),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=20000",
        "--dump-dom",
        f"{server.url}/docs#/orders/placeOrder",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        shown, _ = await asyncio.wait_for(browser.communicate(), 90)
    finally:
        if browser.returncode is None:
            browser.kill()
            await browser.wait()

    page = shown.decode()
    assert "Unable to render" not in page
    assert page.count('class="opblock opblock-') == 16
    assert 'id="operations-orders-placeOrder"' in page
    assert "Pizza Margherita" in page
    assert "Authorize" in page
