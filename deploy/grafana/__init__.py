"""The dashboard, drawn from the metrics' catalogue: ``python -m deploy.grafana`` writes ``orderflow.json`` anew."""
