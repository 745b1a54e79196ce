"""Markers: small files that say that the file beside them is complete."""

import re

NAME = "{name}"
STEM = "{stem}"


class Markers:
    """The done files of a template such as `{name}.done` or `{stem}.ok`."""

    def __init__(self, template: str) -> None:
        self._template = template
        shape = re.escape(template).replace(re.escape(NAME), ".+").replace(re.escape(STEM), ".+")
        self._shape = re.compile(shape, re.DOTALL)

    def is_marker(self, name: str) -> bool:
        """Whether a file of that name is a done file: those are never taken themselves."""
        return self._shape.fullmatch(name) is not None

    def marker_of(self, name: str) -> str:
        """The name of the done file that belongs to the file `name`.

        >>> Markers("{stem}.ok").marker_of("a.csv")
        'a.ok'
        """
        return self._template.replace(NAME, name).replace(STEM, name.rpartition(".")[0] or name)


def marker_template(template: str) -> str:
    """The template of a done file as it is; raises ValueError for one that cannot tell its file."""
    if template and (template.count(NAME) + template.count(STEM) != 1 or template in (NAME, STEM)):
        raise ValueError(f"a done file is named after its file: {NAME}.done or {STEM}.ok")
    if "/" in template or "\0" in template:
        raise ValueError("a done file is beside its file")
    return template
