"""Docstrings as mkdocstrings shows them: doctests are code there, too."""

from typing import Any

import griffe

from reference.prose import fenced


class Doctests(griffe.Extension):
    """Fences the doctests of every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fence those of one object."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
