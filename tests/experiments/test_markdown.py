import pytest

from experiments._harness.markdown import to_html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# A `b`", "<h3>A <code>b</code></h3>"),
        ("one\ntwo", "<p>one two</p>"),
        ("**bold** and *soft*", "<p><strong>bold</strong> and <em>soft</em></p>"),
        ("2 * 3 * 4, `a*b*c`", "<p>2 * 3 * 4, <code>a*b*c</code></p>"),
        ("- a\n  b\n- c", "<ul><li>a b</li><li>c</li></ul>"),
        ("text:\n1. a\n2. b", "<p>text:</p>\n<ol><li>a</li><li>b</li></ol>"),
        ("## A\nb", "<h4>A</h4>\n<p>b</p>"),
        ("```python\nx = a < b\n\n# no heading\n```", None),
        ("[a](https://x.org/?a=1&b=2)", '<p><a href="https://x.org/?a=1&amp;b=2">a</a></p>'),
        ("[a](javascript:b)", "<p>[a](javascript:b)</p>"),
        ('<b onclick="c">', "<p>&lt;b onclick=&quot;c&quot;&gt;</p>"),
        ('[a](https://x"onclick="b)', None),
    ],
)
def test_to_html(text, html):
    found = to_html(text)
    if html is not None:
        assert found == html
    assert '"onclick' not in found and "<h" not in found.replace("<h3", "").replace("<h4", "")


def test_fence_keeps_its_lines():
    found = to_html("```\nx < 1\n\n# y\n```\nend")
    assert found == "<pre><code>x &lt; 1\n\n# y\n</code></pre>\n<p>end</p>"
