"""The little Markdown that a study's README needs, as escaped HTML.

Headings, paragraphs, bullet and numbered lists, fenced code, `code`, **bold**, *emphasis* and
links to the web. Everything else stays the text it is. Nothing is loaded and no tag passes.
"""

import re
from html import escape
from itertools import groupby

_CODE = re.compile(r"`([^`]+)`")
_INLINE = (
    (re.compile(r"\[([^\]]+)\]\((https?://[^\s)]+)\)"), r'<a href="\2">\1</a>'),
    (re.compile(r"\*\*(\S(?:.*?\S)?)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<!\*)\*(\S(?:[^*]*\S)?)\*(?!\*)"), r"<em>\1</em>"),
)
_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ITEM = re.compile(r"\s{0,3}(?:([-*+])|\d+[.)])\s+(.*)")


def to_html(text: str, level: int = 3) -> str:
    """Render Markdown.

    Parameters
    ----------
    text : str
        The Markdown.
    level : int, default=3
        HTML level of its highest heading, so that it fits below the headings of the page.

    Returns
    -------
    str
    """
    parts = []
    # Odd pieces are inside fences.
    for i, piece in enumerate(re.split(r"^```.*\n?", text, flags=re.MULTILINE)):
        if i % 2:
            parts.append(f"<pre><code>{escape(piece)}</code></pre>")
        else:
            blocks = re.split(r"\n\s*\n|(?=^#)", piece, flags=re.MULTILINE)
            parts += [_block(block.strip("\n"), level) for block in blocks if block.strip()]
    return "\n".join(parts)


def inline(text: str) -> str:
    """Render what may stand inside a line."""
    # Odd pieces are code, where a star is a star.
    pieces = _CODE.split(text)
    return "".join(
        f"<code>{escape(piece)}</code>" if i % 2 else _emphasis(piece)
        for i, piece in enumerate(pieces)
    )


def _emphasis(text):
    text = escape(text)
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return text


def _block(block, level):
    first, _, rest = block.partition("\n")
    heading = _HEADING.match(first)
    if heading:
        depth = min(level + len(heading[1]) - 1, 6)
        body = "\n" + _block(rest, level) if rest.strip() else ""
        return f"<h{depth}>{inline(heading[2])}</h{depth}>{body}"
    return "\n".join(_runs(block.splitlines()))


def _runs(lines):
    """Split a block where a list begins; an indented or plain line continues the item before."""
    items = []
    for line in lines:
        item = _ITEM.match(line)
        if item:
            items.append(["ul" if item[1] else "ol", item[2]])
        elif items:
            items[-1][1] += " " + line.strip()
        else:
            items.append(["p", line.strip()])
    for kind, group in groupby(items, key=lambda item: item[0]):
        texts = [inline(text) for _, text in group]
        if kind == "p":
            yield f"<p>{' '.join(texts)}</p>"
        else:
            listed = "".join(f"<li>{text}</li>" for text in texts)
            yield f"<{kind}>{listed}</{kind}>"
