"""Stripe's own mock server on a free loopback port: it checks each request by Stripe's OpenAPI description."""

from pathlib import Path

from attrs import define

from .local_server import LocalServer
from .published import cache
from .servers import program

REMEDY = "Run `.ci/run`, or `go install github.com/stripe/stripe-mock@latest` with Go's bin folder in PATH"


@define(eq=False)
class StripeMock(LocalServer):
    """The program in PATH, or in the cache in which `.ci/run` installs it.

    :raises MissingServer: when it is in neither, at :meth:`start`.
    """

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, home: Path) -> list[str]:
        mock = program("stripe-mock", str(cache() / "stripe-mock" / "stripe-mock"), remedy=REMEDY)
        return [mock, "-http-addr", f"127.0.0.1:{self.port}"]
