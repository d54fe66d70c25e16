"""A Sphinx extension: what all pages of the book share, beyond what Jupyter Book's settings can say."""

import re
import subprocess
from base64 import b64encode

from docutils import nodes

from xlv import __version__

HOSTS = ("github.com", "gitlab.com", "bitbucket.org")  # those for which the theme knows its buttons
BINDER = "https://mybinder.org"


def web_address(remote: str) -> str:
    """The page of a git remote, `git@host:owner/name.git` or a URL; empty for hosts that the theme does not know."""
    found = re.fullmatch(r"(?:https?://|ssh://)?(?:[^@/]+@)?([^/:]+)[/:]([^/:]+/[^/]+?)(?:\.git)?/?", remote.strip())
    return f"https://{found[1]}/{found[2]}" if found and found[1] in HOSTS else ""


def _remote(folder: str) -> str:
    try:
        asked = subprocess.run(["git", "-C", folder, "remote", "get-url", "origin"], capture_output=True, text=True)
    except FileNotFoundError:  # no git on this machine
        return ""
    return asked.stdout


def set_options(app, config) -> None:
    """The version on every page; buttons for the repository, its issues and Binder where the checkout has a remote."""
    options = config.html_theme_options
    options["extra_footer"] = f"xlv {__version__}"
    options["repository_url"] = address = web_address(_remote(app.srcdir))
    if address:
        options |= {
            "repository_branch": "main",
            "use_repository_button": True,
            "use_issues_button": True,
            "launch_buttons": {"binderhub_url": BINDER, "notebook_interface": "jupyterlab"},
        }


def offer_numbers(app, doctree) -> None:
    """Below each figure a link to its numbers, which carries them, so that it works on a page opened from disk.

    They are the plain text of a notebook's figure (see `xlv.report.drawing.NumberedFigure`), which no page shows.
    """
    for figure in list(doctree.findall(nodes.figure)):
        for form in figure.findall(nodes.container):
            if form.get("mime_type") == "text/plain" and form.astext().startswith("model,"):
                file = f"{figure['names'][0].removeprefix('fig-')}.csv"
                data = b64encode(form.astext().encode()).decode()
                link = f'<a download="{file}" href="data:text/csv;charset=utf-8;base64,{data}">{file}</a>'
                offer = nodes.raw("", f'<p class="numbers">Numbers behind it: {link}</p>', format="html")
                figure.parent.insert(figure.parent.index(figure) + 1, offer)


def tidy_docstring(app, what, name, obj, options, lines) -> None:
    """Docstrings as Sphinx wants them: names in backticks as code, lines of a name and its meaning as a list."""
    tidied = []
    for line in lines:
        code = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line)
        if entry := re.fullmatch(r"(\w+(?:, \w+)*) {2,}(\S.*)", code):
            tidied += ["", f"``{entry[1]}``", f"    {entry[2]}"]
        else:
            tidied.append(re.sub(r"^\s+", "    ", code))
    lines[:] = tidied


def let_figures_scroll(app, doctree, docname) -> None:
    """Put the image of each figure into a box that the theme lets scroll, by touch and by keys, on narrow screens."""
    for image in list(doctree.findall(nodes.image)):
        if isinstance(image.parent, nodes.figure):
            box = nodes.container(classes=["pst-scrollable-table-container"])
            image.replace_self(box)
            box += image


def mend_roles(app, page, template, context, doctree) -> None:
    """Docutils calls a bibliography a list without giving it items, which screen readers announce as empty."""
    if "body" in context:
        context["body"] = context["body"].replace('role="list" class="citation-list"', 'class="citation-list"')


def setup(app) -> dict[str, bool]:
    app.connect("config-inited", set_options)
    app.connect("autodoc-process-docstring", tidy_docstring)
    app.connect("doctree-read", offer_numbers)
    app.connect("doctree-resolved", let_figures_scroll)
    app.connect("html-page-context", mend_roles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
