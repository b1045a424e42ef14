"""The dashboard, generated from the metric catalogue: ``python -m deploy.grafana`` writes ``orderflow.json``."""
