"""Write ``orderflow.json`` to the folder of this file."""

from pathlib import Path

from .dashboard import written

if __name__ == "__main__":
    Path(__file__).with_name("orderflow.json").write_text(written(), encoding="utf-8")
