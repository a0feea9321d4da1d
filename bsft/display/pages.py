"""HTML pages: one environment for all, in which everything that is filled in is escaped and visible."""

import base64

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from bsft import __version__
from bsft.display.canvas import to_bytes
from bsft.records.escaping import visible


def render_page(package: str, template: str, **values: object) -> str:
    """A page from a template of a package's `templates/`, which may extend those of this one.

    A name that the template uses and that is not given is an error; `version` is always given.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("bsft.display")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    return environment.get_template(template).render(version=__version__, **values)


def image_source(figure: Figure) -> str:
    """A figure as the `src` of an image, so that the page needs no other file."""
    return f"data:image/svg+xml;base64,{base64.b64encode(to_bytes(figure, 'svg')).decode()}"


def _shown(value: object) -> object:
    """Text as one sees it; what a macro made is escaped already."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
