"""The doors: how people and programs reach the use-cases, and the one place where everything is wired."""

from .gone_directory import prepare_imports

prepare_imports()
