"""The packages under ``src/`` are the package ``orderflow``; everything else stands in pyproject.toml."""

from setuptools import find_packages, setup

setup(packages=["orderflow", *(f"orderflow.{name}" for name in find_packages("src"))])
