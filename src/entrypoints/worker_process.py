"""The beginning of a worker's process, before anything of orderflow is imported that is large."""

import pickle
import socket
from multiprocessing.connection import Connection

from .cli.session import without_integrations


def begin(pickled: bytes, listener: socket.socket, pipe: Connection) -> None:
    """Do the work for the settings that ``pickled`` has, both of which are imported without unused integrations."""
    with without_integrations():
        work, settings = pickle.loads(pickled)
    work(settings, listener, pipe)
