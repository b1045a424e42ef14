"""The files that a process may have open, of which each connection is one."""

from ..domain.errors import NotConfigured

RESERVED = 150
"""Files for all but connections: Kafka, logs, calls of other systems, and connections that are refused at once."""


def allow_open_files(connections: int) -> None:
    """Let this process have ``connections`` open, and RESERVED files besides, by raising its own limit if it is lower.

    Without a file for it, a connection is neither accepted nor refused, and asyncio logs that again and again. Raises
    NotConfigured if the system does not allow so many.
    """
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limit
        return
    needed = connections + RESERVED
    limit, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, highest))
    except (ValueError, OSError) as error:
        raise NotConfigured(
            f"this process may have {highest} files open, too few for {connections} connections",
            f"allow {needed} (`ulimit -n`, LimitNOFILE=), or lower ORDERFLOW_HTTP_MAX_CONNECTIONS",
        ) from error
