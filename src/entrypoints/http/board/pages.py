"""Serves the files of the board from the package. A browser asks for each again, and gets 304 if it has it."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import frozen
from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from ..routers import OwnRouter

FILES = Path(__file__).parent / "files"
PAGE = "index.html"
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing is loaded from elsewhere, no script and no style stands in the page, and no text can become markup."""
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@frozen
class BoardFile:
    """One file, as it is sent."""

    content: bytes
    media_type: str
    etag: str


def board_files() -> Mapping[str, BoardFile]:
    """Read all files of the board."""
    found = {}
    for file in sorted(FILES.iterdir()):
        content = file.read_bytes()
        found[file.name] = BoardFile(content, MEDIA_TYPES[file.suffix], f'"{sha256(content).hexdigest()[:32]}"')
    return found


def pages_router(guards: list[Callable[..., Any]]) -> Router:
    """Return the routes of the page and its files."""
    files = board_files()

    @get("/", guards=[])
    async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _sent(files[PAGE], request)

    @get("/board/{name:str}", guards=guards)
    async def file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        if name == PAGE or name not in files:
            raise NotFoundException
        return _sent(files[name], request)

    return OwnRouter("/", route_handlers=[page, file], include_in_schema=False)


def _sent(file: BoardFile, request: Request[Any, Any, Any]) -> Response[bytes]:
    headers = {**HEADERS, "ETag": file.etag}
    known = request.headers.get("if-none-match", "")
    if file.etag in known.replace("W/", "").replace(" ", "").split(","):
        return Response(b"", status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
