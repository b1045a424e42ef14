"""Without the extra ``http``, the error names it, and everything else works."""

import subprocess
import sys

import pytest

CREATE_THE_APP = """
from orderflow.domain.errors import NotConfigured
from orderflow.entrypoints.http import create_app

try:
    create_app(None, tokens=None, checks={}, trust_actor_header=False)
except NotConfigured as refused:
    print(refused)
"""

SERVE = """
import asyncio
from orderflow.domain.errors import NotConfigured
from orderflow.entrypoints.http import serve

try:
    asyncio.run(serve(None, host="127.0.0.1", port=0))
except NotConfigured as refused:
    print(refused)
"""

READ_A_BODY = """
from orderflow.entrypoints.http import new_token
from orderflow.entrypoints.http.bodies import CancelOrderBody
from orderflow.entrypoints.http.read_body import read_body

print(len(new_token()), read_body(b'{"reason":"late"}', CancelOrderBody).reason)
"""


def output_without(package: str, program: str) -> str:
    """Return the output of ``program`` without ``package``."""
    hidden = f"import sys\nsys.modules[{package!r}] = None\n{program}"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("package", "program"),
    [("litestar", CREATE_THE_APP), ("offapi", CREATE_THE_APP), ("uvicorn", SERVE)],
)
def test_the_error_names_the_extra_to_install(package: str, program: str) -> None:
    output = output_without(package, program)

    assert output == f"the HTTP API needs {package}; pip install 'orderflow-service[http]'"


def test_tokens_and_bodies_do_not_need_the_extra() -> None:
    output = output_without("litestar", READ_A_BODY)

    assert output == "2 late"
