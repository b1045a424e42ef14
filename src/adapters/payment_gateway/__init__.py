"""Payment gateways."""

from .none import NoGateway
from .sandbox import SandboxGateway

__all__ = ["NoGateway", "SandboxGateway"]
