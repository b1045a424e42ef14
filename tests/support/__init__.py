"""Real servers for tests: PostgreSQL, Apache Kafka and SMTP, started when a test first asks for them.

Tests get them as fixtures of ``tests/conftest.py``.
The fault campaign and the measurements open servers of their own: ``LocalPostgres()``, ``LocalKafka(nodes=3)``.
"""
