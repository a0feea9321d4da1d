"""HTML pages: one environment for all, in which everything that is filled in is escaped and visible."""

from __future__ import annotations

import jinja2
from markupsafe import Markup

from bsft.records.escaping import visible


def page_environment(package: str) -> jinja2.Environment:
    """Templates of a package's `templates/`; a name that is not given is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )


def _shown(value: object) -> object:
    """Text as one sees it; what a macro made is escaped already."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
