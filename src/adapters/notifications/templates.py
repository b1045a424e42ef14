"""Message templates from files: ``EVENT.ROLE.txt`` has the subject, an empty line, and the text."""

from collections.abc import Mapping
from importlib.resources import files
from string import Template

from attrs import field, frozen

from ...application.notifications.notification import MessageText
from ...domain.actor import Role

_SUFFIX = ".txt"


def _templates() -> dict[str, tuple[Template, Template]]:
    templates = {}
    for file in (files(__package__) / "message_templates").iterdir():
        if file.name.endswith(_SUFFIX):
            subject, _, text = file.read_text("utf-8").partition("\n\n")
            templates[file.name.removesuffix(_SUFFIX)] = (Template(subject.strip()), Template(text))
    return templates


@frozen
class FileMessageTemplates:
    """Renders messages from the templates of this package, which are read once at creation."""

    _templates: Mapping[str, tuple[Template, Template]] = field(factory=_templates, init=False, repr=False)

    def __call__(self, role: Role, values: Mapping[str, str], *, event_type: str) -> MessageText:
        """Render a message. Raises LookupError if there is no template, or a value that it needs is missing."""
        subject, text = self._templates[f"{event_type}.{role}"]
        return MessageText(subject.substitute(values), text.substitute(values))
