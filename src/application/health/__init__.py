"""Health: observing an installation, its lag and its processes, tracing an order, and the doctor."""
