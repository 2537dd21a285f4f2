"""What lies outside `docs/`, as pages of the site that nobody has to copy.

`extra.outside` in mkdocs.yml names pages that are files elsewhere in the repository. Their links, and those
of the pages in `docs/`, are written for a plain file browser; here they are turned to where the site has the
same thing. A link to code or to a folder leads to a page that shows it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

CODE = re.compile(r"^ *(`{3,}).*?^ *\1`*\s*$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s#:]+)(#[^)\s]*)?\)")
IMAGE = re.compile(r'<img [^>]*src="([^"]+\.svg)"[^>]*>')
LANGUAGES = {
    ".py": "python",
    ".js": "js",
    ".toml": "toml",
    ".json": "json",
    ".service": "ini",
    ".conf": "ini",
    ".txt": "text",
}
"""How code is coloured, by a file's ending."""

THEMED = 'id="only-dark"'
"""What a drawing has in it that comes in light and dark."""


class Repository:
    """Which page of the site shows which path of the repository."""

    def __init__(self, config: MkDocsConfig) -> None:
        self.root = Path(config.config_file_path).parent
        self.docs: str = Path(config.docs_dir).relative_to(self.root).as_posix()
        self.outside: dict[str, str] = config.extra["outside"]
        self.shown: dict[str, str] = {path: uri for uri, path in self.outside.items()}

    def path(self, uri: str) -> str:
        """The path of a page."""
        return self.outside.get(uri) or f"{self.docs}/{uri}"

    def uri(self, path: str) -> str | None:
        """The page, or the asset, that shows a path; None where there is no such path."""
        if path in self.shown:
            return self.shown[path]
        if path.startswith(f"{self.docs}/"):
            return path.removeprefix(f"{self.docs}/")
        return f"source/{path}.md" if (self.root / path).exists() else None

    def target(self, page: str, link: str) -> str | None:
        """The URI that a link in a page leads to."""
        return self.uri(posixpath.normpath(posixpath.join(posixpath.dirname(self.path(page)), link)))


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages from outside, and one for each piece of code that a page links to."""
    repository = Repository(config)
    for uri, path in repository.outside.items():
        files.append(File.generated(config, uri, abs_src_path=str(repository.root / path)))
    for page in files.documentation_pages():
        for link in links(page.content_string):
            uri = repository.target(page.src_uri, link) or ""
            if uri.startswith("source/") and uri not in files.src_uris:
                path = uri.removeprefix("source/").removesuffix(".md")
                files.append(File.generated(config, uri, content=source(repository.root, path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that leave `docs/`, or come from outside, to the site's pages."""
    repository, uri = Repository(config), page.file.src_uri

    def turned(found: re.Match[str]) -> str:
        target = repository.target(uri, found[1])
        if target is None:
            return found[0]
        return f"]({posixpath.relpath(target, posixpath.dirname(uri) or '.')}{found[2] or ''})"

    return "".join(text if is_code else LINK.sub(turned, text) for text, is_code in parts(markdown))


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show a drawing that comes in light and dark in the page's colours; keep `1 ± 2` on one line."""

    def both(found: re.Match[str]) -> str:
        uri = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.dest_uri), found[1]))
        file = files.get_file_from_path(uri)
        if file is None or THEMED not in file.content_string:
            return found[0]
        return "".join(found[0].replace(".svg", f".svg#only-{colours}") for colours in ("light", "dark"))

    return IMAGE.sub(both, html).replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def parts(markdown: str) -> Iterator[tuple[str, bool]]:
    """Stretches of a page, and whether each is code."""
    at = 0
    for code in CODE.finditer(markdown):
        yield markdown[at : code.start()], False
        yield code[0], True
        at = code.end()
    yield markdown[at:], False


def links(markdown: str) -> Iterator[str]:
    """Where a page's links and images lead within the repository."""
    for text, is_code in parts(markdown):
        if not is_code:
            yield from (found[1] for found in LINK.finditer(text))


def source(root: Path, path: str) -> str:
    """A page that shows a file, or the files of a folder."""
    shown = root / path
    page = f"---\ntitle: {shown.name}\nsearch:\n  exclude: true\n---\n\n# `{path}`\n\n"
    if shown.is_file():
        return page + block(shown)
    files = sorted(file for file in shown.iterdir() if file.is_file())
    return page + "\n".join(f"## {file.name}\n\n{block(file)}" for file in files)


def block(file: Path) -> str:
    """A file as a block of code."""
    text = file.read_text(encoding="utf-8").rstrip()
    return f"``````{LANGUAGES.get(file.suffix, 'text')}\n{text}\n``````\n"
