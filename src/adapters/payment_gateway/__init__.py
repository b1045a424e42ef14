"""Payment gateways."""

from .sandbox import SandboxGateway

__all__ = ["SandboxGateway"]
