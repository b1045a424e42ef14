"""Without the extra ``http`` the door says which one to install, and everything around it works."""

import subprocess
import sys

import pytest

ASK_FOR_THE_DOOR = """
from orderflow.domain.errors import NotConfigured
from orderflow.entrypoints.http import create_app

try:
    create_app(None, tokens=None, checks={}, trust_actor_header=False)
except NotConfigured as refused:
    print(refused)
"""

ASK_TO_SERVE = """
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
from orderflow.entrypoints.http.bodies import CancelOrderBody, read

print(len(new_token()), read(b'{"reason":"late"}', CancelOrderBody).reason)
"""


def said_without(package: str, program: str) -> str:
    """What ``program`` prints where ``package`` is not installed."""
    hidden = f"import sys\nsys.modules[{package!r}] = None\n{program}"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("package", "program"),
    [("litestar", ASK_FOR_THE_DOOR), ("offapi", ASK_FOR_THE_DOOR), ("uvicorn", ASK_TO_SERVE)],
)
def test_asking_for_the_door_says_what_to_install(package: str, program: str) -> None:
    said = said_without(package, program)

    assert said == f"the HTTP door needs {package}; pip install 'orderflow-service[http]'"


def test_tokens_and_bodies_need_no_server() -> None:
    said = said_without("litestar", READ_A_BODY)

    assert said == "2 late"
