"""Packages of other registries that a test holds our files to: fetched once, kept in the user's cache."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from .servers import MissingServer, program

NPM = "Install npm (Debian: npm), and look at its registry"


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
        return kept(f"npm-{self.name.replace('/', '-')}-{self.version}", self._unpacked)

    def _unpacked(self, folder: Path) -> Path:
        npm = program("npm", remedy=NPM)
        fetch(self.name, [npm, "pack", "--silent", f"{self.name}@{self.version}"], folder, remedy=NPM)
        packed = next(folder.glob("*.tgz"))
        digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        assert digest == self.sha512, f"{self.name} {self.version} is another one than was tested: sha512 {digest}"
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        return folder / "package"


def npm_project(folder: Path) -> Path:
    """Return a project with the packages of ``folder``'s lock file; their programs are in ``node_modules/.bin``.

    :raises MissingServer: when they are not in the cache, and npm cannot fetch them.
    """
    files = [folder / "package.json", folder / "package-lock.json"]

    def installed(fetching: Path) -> Path:
        made = fetching / "made"
        made.mkdir()
        for file in files:
            shutil.copy(file, made)
        options = ["--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
        fetch(folder.name, [program("npm", remedy=NPM), "ci", *options], made, remedy=NPM)
        return made

    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    return kept(f"npm-{folder.name}-{digest}", installed)


def python_package(requirements: Path) -> Path:
    """Return a folder with the packages of that file of versions and hashes; their programs are in its ``bin``.

    :raises MissingServer: when they are not in the cache and pip cannot fetch them.
    """

    def installed(fetching: Path) -> Path:
        asked = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--requirement", str(requirements)]
        command = [sys.executable, "-m", "pip", "install", *asked, "--target", "made"]
        fetch(requirements.stem, command, fetching, remedy="Look at PyPI")
        return fetching / "made"

    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    return kept(f"python-{requirements.stem}-{digest}", installed)


def kept(name: str, make: Callable[[Path], Path]) -> Path:
    """Return the folder of that name in the cache.

    If it is not there, it is what ``make`` returns, which is given a temporary folder to make it in.
    """
    folder = cache() / name
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as fetching:
            made = make(Path(fetching))
            try:
                made.rename(folder)  # complete or not at all
            except OSError:
                if not folder.is_dir():  # otherwise another process was faster, with the same files
                    raise
    return folder


def cache() -> Path:
    """The user's cache for the tests of this project, outside of the tree."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orderflow"


def fetch(name: str, command: Sequence[str], folder: Path, *, remedy: str) -> None:
    """Run a program that fetches what is called ``name``, in that folder.

    :raises MissingServer: when it fails, with all that it said.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise MissingServer(name, [f"{Path(command[0]).name} fetched nothing: {said}"], remedy)
