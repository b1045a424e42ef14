"""The HTTP API: orders under ``/v1``. It requires the extra ``orderflow-service[http]``."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ...domain.errors import NotConfigured
from .auth import new_token

__all__ = ["create_app", "create_ops_app", "listeners", "new_token", "serve"]

_EXTRA = ("litestar", "uvicorn", "httptools", "offapi", "limits")


def _with_extra(module: str) -> ModuleType:
    try:
        return import_module(module, __name__)
    except ModuleNotFoundError as e:
        if e.name is None or e.name.partition(".")[0] not in _EXTRA:
            raise
        raise NotConfigured(f"the HTTP API needs {e.name}", "pip install 'orderflow-service[http]'") from e


def _deferred(module: str, name: str) -> Any:
    """Return a function that imports the one called ``name`` when it is called, and raises NotConfigured without it."""

    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(_with_extra(module), name)(*arguments, **named)

    return call


if TYPE_CHECKING:
    from .app import create_app
    from .ops_app import create_ops_app
    from .server import listeners, serve
else:
    create_app = _deferred(".app", "create_app")
    create_ops_app = _deferred(".ops_app", "create_ops_app")
    listeners = _deferred(".server", "listeners")
    serve = _deferred(".server", "serve")
