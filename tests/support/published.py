"""Packages of other registries that a test holds our files to: fetched once, kept in the user's cache."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from attrs import frozen

from .servers import MissingServer


@frozen
class NpmPackage:
    """One version of a package of npm's; ``sha512`` is its digest in base64, as the registry's integrity says."""

    name: str
    version: str
    sha512: str

    def folder(self) -> Path:
        """The folder of its files.

        :raises MissingServer: when they are not in the cache, and npm cannot fetch them.
        """
        kept = cache() / f"npm-{self.name.replace('/', '-')}-{self.version}"
        if not kept.is_dir():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=kept.parent, prefix="fetching-") as fetching:
                keep(self._unpacked(Path(fetching)), kept)
        return kept

    def _unpacked(self, folder: Path) -> Path:
        packed = self._fetched(folder)
        digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        assert digest == self.sha512, f"{self.name} {self.version} is another one than was tested: sha512 {digest}"
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        return folder / "package"

    def _fetched(self, folder: Path) -> Path:
        if shutil.which("npm") is None:
            raise MissingServer(self.name, ["it is not in the cache and npm is not here"], "Install npm (Debian: npm)")
        npm = subprocess.run(
            ["npm", "pack", "--silent", f"{self.name}@{self.version}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if npm.returncode != 0:
            raise MissingServer(self.name, [f"npm fetched nothing: {npm.stderr[-2000:]}"], "Look at npm's registry")
        return next(folder.glob("*.tgz"))


def npm_project(folder: Path) -> Path:
    """Return a project with the packages of ``folder``'s lock file; their programs are in ``node_modules/.bin``.

    :raises MissingServer: when they are not in the cache, and npm cannot fetch them.
    """
    files = [folder / "package.json", folder / "package-lock.json"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    kept = cache() / f"npm-{folder.name}-{digest}"
    if not kept.is_dir():
        if shutil.which("npm") is None:
            raise MissingServer(folder.name, ["npm is not here"], "Install npm (Debian: npm)")
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="fetching-") as fetching:
            made = Path(fetching) / "made"
            made.mkdir()
            for file in files:
                shutil.copy(file, made)
            npm = subprocess.run(
                ["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=made,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            if npm.returncode != 0:
                raise MissingServer(
                    folder.name, [f"npm fetched nothing: {npm.stderr[-2000:]}"], "Look at npm's registry"
                )
            keep(made, kept)
    return kept


def cache() -> Path:
    """The user's cache for the tests of this project, outside of the tree."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orderflow"


def keep(made: Path, kept: Path) -> None:
    """Move the folder ``made`` to ``kept``: complete or not at all."""
    try:
        made.rename(kept)
    except OSError:
        if not kept.is_dir():  # otherwise another process was faster, with the same files
            raise


def python_package(requirements: Path) -> Path:
    """Return a folder with the packages of that file of versions and hashes; their programs are in its ``bin``.

    :raises MissingServer: when they are not in the cache and pip cannot fetch them.
    """
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    kept = cache() / f"python-{requirements.stem}-{digest}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="fetching-") as fetching:
            made = Path(fetching) / "made"
            asked = ["--require-hashes", "--only-binary", ":all:", "--target", str(made)]
            pip = subprocess.run(
                [sys.executable, "-m", "pip", "install", "--quiet", *asked, "--requirement", str(requirements)],
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            if pip.returncode != 0:
                raise MissingServer(requirements.stem, [f"pip fetched nothing: {pip.stderr[-2000:]}"], "Look at PyPI")
            keep(made, kept)
    return kept
