"""Configures Sphinx, which builds the documentation as a static site: `make docs`.

A page that was built asks nothing of other hosts: Swagger UI comes from the wheel that `/docs` uses, and Mermaid from
npm.
"""

import re
import sys
from html import escape
from importlib import metadata, resources
from pathlib import Path
from shutil import copyfile

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.support.published import NpmPackage  # noqa: E402 - it is found by the line above

MERMAID = NpmPackage(
    "mermaid",
    "11.17.2",
    "V6K3C8EBdEsPFZXSKMJe6ppQOENxuHARr9GvHX4hh47lAbhMRD9qf4oEK7LoaRQxULMa80/qt5gHO73aCleBBg==",
)

OUTSIDE = {"index": "README.md", "changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md"}
FOLDERS = {"alerts": "runbooks/*", "decisions/README": "0*"}

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")

project = "orderflow"
release = metadata.version("orderflow-service")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx-jsonschema"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
autodoc_member_order = "bysource"
suppress_warnings = ["misc.highlighting_failure"]  # there is no highlighter of CSV

html_theme = "furo"
html_title = f"orderflow {release}"
templates_path = ["templates"]
html_additional_pages = {"contract/api": "api.html"}
html_js_files = ["mermaid.min.js"]  # it draws each `pre.mermaid` of a page


class Mermaid(Directive):
    """A diagram, which the browser draws."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the diagram's text in the element that Mermaid looks for."""
        return [nodes.raw("", f'<pre class="mermaid">{escape(chr(10).join(self.content))}</pre>', format="html")]


def setup(app: Sphinx) -> None:
    """Register what the pages need."""
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", _complete)
    app.connect("build-finished", _copy_scripts)


def _complete(_: Sphinx, page: str, source: list[str]) -> None:
    """Put a file from outside of this folder on its page, and the pages of a folder below the one that lists them."""
    if page in OUTSIDE:
        source[0] = (HERE.parent / OUTSIDE[page]).read_text(encoding="utf-8") + source[0]
    source[0] = (
        _LINK.sub(_relinked, source[0]) if page in OUTSIDE else source[0].replace("](../README.md", "](index.md")
    )
    if page in FOLDERS:
        source[0] += f"\n```{{toctree}}\n:hidden:\n:glob:\n\n{FOLDERS[page]}\n```\n"


def _relinked(link: re.Match[str]) -> str:
    """Return a link to the page of a file, or only its text if it has none."""
    text, target = link["text"], link["target"]
    pages = {file: f"{page}.md" for page, file in OUTSIDE.items()}
    if target.startswith(("http", "#")):
        return link[0]
    return (
        f"[{text}]({target.removeprefix('docs/')})"
        if target.startswith("docs/")
        else (f"[{text}]({pages[target]})" if target in pages else text)
    )


def _copy_scripts(app: Sphinx, exception: Exception | None) -> None:
    """Copy the scripts to the site, and the contract as one, for a page in a file may not read another file."""
    static = Path(app.outdir) / "_static"
    if exception is None and static.is_dir():
        copyfile(MERMAID.folder() / "dist" / "mermaid.min.js", static / "mermaid.min.js")
        for name in ("swagger_bundle.js", "swagger_style.css"):
            with resources.as_file(resources.files("offapi") / name) as file:
                copyfile(file, static / name)
        contract = (HERE / "contract" / "openapi.json").read_text(encoding="utf-8")
        shown = f'SwaggerUIBundle({{dom_id: "#api", supportedSubmitMethods: [], spec: {contract}}});\n'
        (static / "openapi.js").write_text(shown, encoding="utf-8")
