"""Write ``orderflow.json`` to the folder of this file."""

from pathlib import Path

from .dashboard import dashboard_json

if __name__ == "__main__":
    Path(__file__).with_name("orderflow.json").write_text(dashboard_json(), encoding="utf-8")
