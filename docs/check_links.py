#!/usr/bin/env python3
"""Checks the links of the built site, raw HTML and anchors included.

    docs/check_links.py FOLDER

Every href and src that stays within the site must lead to a file there, and its anchor to an id in
that file. Addresses on other machines are counted, not asked. Ends with 1 and a list where one
leads nowhere.
"""

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Settings that a script of the page reads from its address, "#op=conv2d&...", are no anchors.
SETTINGS = "="


class Page(HTMLParser):
    def __init__(self, path: Path):
        super().__init__()
        self.path, self.links, self.ids = path, [], {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif name in ("href", "src") and value is not None:
                self.links.append((self.getpos()[0], value))


page = cache(Page)


def wrong(site: Path, here: Path, link: str) -> str:
    """Why a link leads nowhere, or ""."""
    parts = urlsplit(link)
    if parts.path.startswith("/"):
        return "begins at the root of the machine: the site must work from a folder"
    target = (here.parent / unquote(parts.path)).resolve() if parts.path else here
    if not target.is_file():
        return f"there is no file {target}"
    if not target.is_relative_to(site):
        return f"{target} is outside of the site"
    anchor = unquote(parts.fragment)
    if target.suffix == ".html" and SETTINGS not in anchor and anchor not in page(target).ids:
        return f"{target.relative_to(site)} has no #{anchor}"
    return ""


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    site = Path(sys.argv[1]).resolve()
    findings, within, elsewhere = [], 0, 0
    for path in sorted(site.rglob("*.html")):
        for line, link in page(path).links:
            if urlsplit(link).scheme or link.startswith("//"):
                elsewhere += 1
                continue
            within += 1
            if why := wrong(site, path, link):
                findings.append(f"{path.relative_to(site)}:{line}: {link}: {why}")
    if not within:
        findings.append(f"{site}: there are no pages with links")
    print("\n".join(findings)
          or f"{within} links within the site lead somewhere; {elsewhere} lead elsewhere")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
