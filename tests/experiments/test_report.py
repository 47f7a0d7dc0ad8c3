import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("pandas")
pytest.importorskip("rich")
pytest.importorskip("matplotlib")

from experiments._harness.tables import Table  # noqa: E402

from ._toys import STUDY, write_study, write_whole_study  # noqa: E402

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Elements and text of a page; fails if a tag is left open or closed twice."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page(studies, out, call):
    write_whole_study(studies)
    assert call("run")[0] == 0
    return Page((out / "report.html").read_text(encoding="utf-8"))


def test_page_shows_every_part(page):
    for text in (
        "Means <of> & numbers",
        "Nobody (1900), <i>On means</i>",
        "The error is <small> & finite.",
        "below 2",
        "✓ holds",
        "The mean is exact.",
        "✗ does not hold",
        "The same on images.",
        "0.893",
        "the images were not given",
        "– not measured",
        "Faithful",
        "<script>alert(1)</script>",
        'Error against "n" & <nothing> else.',
        "python -m experiments run means --preset quick",
        "Results of 6 configurations",
        "a<b",
        "(20 values)",
        "Processor",
    ):
        assert text in page.text


def test_nothing_is_loaded_and_nothing_runs(page):
    assert not page.all("script") and not page.all("link") and not page.all("i")
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "srcset", "poster", "data"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "default-src 'none'" in page.all("meta")[-1]["content"]
    assert "url(" not in page.text and "@import" not in page.text


def test_figures_have_words_and_are_written_as_files(page, out):
    (image,) = page.all("img")
    assert 'Error against "n" & <nothing> else.' in image["alt"]
    file = out / "means" / "figures" / "error.png"
    assert file.read_bytes().startswith(b"\x89PNG")


def test_page_adapts_to_screen_and_scheme(page):
    assert page.all("html")[0]["lang"] == "en"
    assert any(one.get("name") == "viewport" for one in page.all("meta"))
    assert "prefers-color-scheme: dark" in page.text
    assert page.all("details")


def test_report_needs_stored_results_only(studies, out, call):
    write_whole_study(studies)
    call("run")
    before = (out / "report.html").read_bytes()
    stale = out / "means" / "figures" / "of_yesterday.png"
    stale.touch()
    (out / "report.html").unlink()
    write_study(studies, study=STUDY.replace("def run", "def no_longer_there"))
    status, shown, _ = call("report")
    assert status == 0 and "does not hold" in shown and "report.html" in shown
    assert (out / "report.html").read_bytes() == before
    assert not stale.exists()


def test_report_shows_stored_benchmarks(studies, out, call):
    source = """
        from experiments._harness import Table
        run = lambda quick: [Table("Speed", ("who", "s"), [("us", 1.5), ("p<er", "not installed")])]
    """
    write_study(studies, study=STUDY, bench=source)
    assert call("bench", "means")[0] == 0
    call("run")
    page = Page((out / "report.html").read_text(encoding="utf-8"))
    assert "Benchmark: Speed" in page.text and "p<er" in page.text


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"plot": "def figures(results):\n    raise ValueError('no <plot>')"}, "no <plot>"),
        ({"plot": "figures = lambda results: [('a/b', 'c', None)]"}, "is no file name"),
        ({"claims": "CLAIMS = 1 / 0"}, "ZeroDivisionError"),
        (
            {
                "claims": "from experiments._harness import Claim\n"
                "CLAIMS = [Claim('k', 'S.', None, lambda r: r['absent'])]"
            },
            "KeyError: 'absent'",
        ),
    ],
)
def test_what_raises_is_shown_and_makes_status_1(studies, out, call, parts, message):
    write_study(studies, study=STUDY, **parts)
    status, shown, _ = call("run")
    assert status == 1 and message in shown
    page = Page((out / "report.html").read_text(encoding="utf-8"))
    assert message in page.text and "! error" in page.text
    assert re.search("Results of 6 configurations", page.text)


def test_results_of_an_older_version_are_pointed_out(studies, out, call):
    write_study(studies, study=STUDY)
    call("run")
    manifest = out / "means" / "manifest.json"
    manifest.write_text(
        manifest.read_text().replace('"version": 1, "preset"', '"version": 0, "preset"')
    )
    status, shown, _ = call("report")
    assert status == 1 and "run it again" in shown


def test_table_text_and_json():
    table = Table("T", ("name", "x"), [("long name", 1 / 3), ("b", None)], notes="Why.")
    lines = table.to_text().splitlines()
    assert lines == ["T", "name            x", "---------  ------", "long name  0.3333"] + [
        "b               -",
        "Why.",
    ]
    assert Table.from_json(table.to_json()).to_text() == table.to_text()
    with pytest.raises(ValueError, match="2 columns"):
        Table("T", ("a", "b"), [(1,)])
