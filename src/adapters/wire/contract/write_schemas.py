"""Writes the JSON Schemas of the package: ``python -m orderflow.adapters.wire.contract.write_schemas``."""

import json
from pathlib import Path

from .json_schema import schemas

FOLDER = Path(__file__).parents[1] / "schemas"


def texts() -> dict[str, str]:
    """Return the text of every schema file by file name."""
    return {f"{name}.json": json.dumps(schema, indent=2) + "\n" for name, schema in schemas().items()}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)


if __name__ == "__main__":
    main()
