"""A headless Chromium, driven by the Chrome DevTools Protocol over a pipe."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_DEADLINE = 90

_WHEN = """new Promise((resolve) => {
  const observer = new MutationObserver(look);
  observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  function look() {
    let value;
    try { value = EXPRESSION } catch { return }
    if (value) { observer.disconnect(); resolve(value instanceof Node || value) }
  }
  look();
})"""


@define
class Tab:
    """One tab; ``errors`` and ``requests`` are what its page logged as errors and asked for so far."""

    process: asyncio.subprocess.Process
    session: str | None = None
    errors: list[str] = field(factory=list)
    requests: list[str] = field(factory=list)
    _last: int = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self.session is not None:
            message["sessionId"] = self.session
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\0")
        async with asyncio.timeout(_DEADLINE):
            while True:
                received = json.loads((await self.process.stdout.readuntil(b"\0"))[:-1])
                if received.get("id") == self._last:
                    assert "error" not in received, received
                    result: dict[str, Any] = received["result"]
                    return result
                self._note(received["method"], received["params"])

    async def when(self, expression: str) -> Any:
        """The value of the JavaScript ``expression``, as soon as it is truthy."""
        done = await self.call(
            "Runtime.evaluate",
            expression=_WHEN.replace("EXPRESSION", expression),
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def click(self, selector: str) -> None:
        await self.when(f"(document.querySelector({selector!r}).click(), true)")

    async def type(self, selector: str, text: str) -> None:
        """Replace the text of the field."""
        await self.when(f"(document.querySelector({selector!r}).focus(), document.activeElement.select(), true)")
        await self.call("Input.insertText", text=text)

    def _note(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(str(params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))


@asynccontextmanager
async def tab(url: str, profile: Path) -> AsyncIterator[Tab]:
    """A tab that shows ``url``. No host but 127.0.0.1 has an address."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'exec "$@" 3<&0 4>&1 0</dev/null 1>&2', "sh"),  # the protocol's pipe is descriptors 3 and 4
        str(BROWSER),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={profile}",
        "--window-size=1280,1600",
        "--remote-debugging-pipe",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=2**26,
    )
    try:
        opened = Tab(process)
        target = (await opened.call("Target.createTarget", url="about:blank"))["targetId"]
        attached = await opened.call("Target.attachToTarget", targetId=target, flatten=True)
        opened.session = attached["sessionId"]
        for domain in ("Network", "Log", "Runtime", "Page"):
            await opened.call(f"{domain}.enable")
        await opened.call("Page.navigate", url=url)
        yield opened
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
