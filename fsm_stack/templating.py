"""The one door to Jinja2: strict, without autoescape surprises, templates from the package.

Templates decide nothing: an undefined name is an error, and they loop over finished values.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_PACKAGED = Path(__file__).parent / "_templates"
_CHECKOUT = Path(__file__).parent.parent / "templates"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # slow

    folder = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # shell, YAML and Markdown: HTML escaping would corrupt them
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def text(name: str) -> str:
    """The file ``templates/<name>`` as it is: data that no template makes."""
    environment = _environment()
    loader = environment.loader
    assert loader is not None  # noqa: S101  # set above
    return loader.get_source(environment, name)[0]


@cache
def template(name: str) -> Template:
    """The compiled template ``templates/<name>``."""
    return _environment().get_template(name)


def render(name: str, **values: Any) -> str:  # noqa: ANN401  # whatever the template loops over
    """The template's text with these values."""
    return template(name).render(**values)


def source_hash(source: str) -> str:
    """What a content security policy calls an inline script or style sheet."""
    return f"sha256-{b64encode(sha256(source.encode()).digest()).decode()}"
