"""The website: which pages it has, where their links lead, and what is wrong in the finished one."""

import tomllib

import pytest

from website.__main__ import InvalidAddress, settings_for
from website.links import broken, read
from website.navigation import navigation, toml
from website.pages import BrokenLink, Repository, assemble, place_of

FILES = {
    "README.md": "# Home\n\n[all](docs/README.md) [page](docs/page.md#a-heading) [out](https://example.com)\n",
    "docs/README.md": "# All\n",
    "docs/page.md": "[example](../examples/one.yaml) [`code`](../SECURITY.md) [folder](../examples)\n\n"
    "```yaml\n[kept](as-it-is.md)\n```\n\n`[kept](too.md)` [decision](adr/0001-one.md) [here](#there)\n",
    "docs/adr/0001-one.md": "[page](../page.md) [text](../../tests/README.md)\n",
    "examples/one.yaml": "kind: One\n",
    "examples/sub/two.yaml": "kind: Two\n",
    "SECURITY.md": "# Security\n",
    "tests/README.md": "# Tests\n",
    "unlinked.md": "# Nobody links to it\n",
}


class TestPages:
    def test_what_is_linked_becomes_a_page(self) -> None:
        assert set(assemble(Repository(FILES))) == {
            "index.md",
            "contents.md",
            "page.md",
            "adr/0001-one.md",
            "repository/SECURITY.md",
            "repository/examples/index.md",
            "repository/examples/one.yaml.md",
            "repository/examples/sub/two.yaml.md",
            "repository/tests/index.md",
        }

    def test_links_lead_to_the_places_of_the_website(self) -> None:
        pages = assemble(Repository(FILES))
        assert (
            pages["index.md"] == "# Home\n\n[all](contents.md) [page](page.md#a-heading) [out](https://example.com)\n"
        )
        assert pages["adr/0001-one.md"] == "[page](../page.md) [text](../repository/tests/index.md)\n"

    def test_code_stays_as_it_is(self) -> None:
        page = assemble(Repository(FILES))["page.md"]
        assert "[kept](as-it-is.md)" in page
        assert "`[kept](too.md)`" in page
        assert page.startswith("[example](repository/examples/one.yaml.md) [`code`](repository/SECURITY.md) ")
        assert page.endswith("[decision](adr/0001-one.md) [here](#there)\n")

    def test_a_file_is_shown_as_code_and_a_folder_as_a_list(self) -> None:
        pages = assemble(Repository(FILES))
        assert pages["repository/examples/one.yaml.md"] == "# examples/one.yaml\n\n````yaml\nkind: One\n````\n"
        assert pages["repository/examples/index.md"] == (
            "# examples\n\n- [one.yaml](one.yaml.md)\n- [sub/two.yaml](sub/two.yaml.md)\n"
        )

    @pytest.mark.parametrize("target", ["gone.md", "../gone.yaml", "../../outside.md", "../example"])
    def test_a_link_to_nothing_is_an_error(self, target: str) -> None:
        with pytest.raises(BrokenLink, match=r"docs/page\.md: .* leads to no file of the repository"):
            assemble(Repository(FILES | {"docs/page.md": f"[link]({target})\n"}))


class TestNavigation:
    CONTENTS = (
        "# All\n\n## Guides\n\n### First\n\n"
        "| Page | Content |\n|---|---|\n| [Page](page.md) | see [one](adr/0001-one.md) |\n"
        "| [A](README.md) and [b](../SECURITY.md#x) | two |\n\n## Decisions\n\n| Record | Decision |\n|---|---|\n"
        "| [0001](adr/0001-one.md) | Do `one` thing |\n\n## Nothing\n\ntext\n"
    )

    def test_it_has_the_sections_and_the_pages_of_their_tables(self) -> None:
        items = navigation(self.CONTENTS, lambda target: place_of(*_in_docs(target)))
        assert items == [
            {"Guides": [{"First": [{"Page": "page.md"}, {"A": "contents.md"}, {"b": "repository/SECURITY.md"}]}]},
            {"Decisions": [{"0001 Do one thing": "adr/0001-one.md"}]},
        ]

    def test_it_can_be_read_as_toml(self) -> None:
        items = navigation(self.CONTENTS, lambda target: f'"{target}"\\')
        assert tomllib.loads(f"nav = {toml(items)}")["nav"] == items


def _in_docs(target: str) -> tuple[str, Repository]:
    return target.removeprefix("../") if target.startswith("../") else f"docs/{target}", Repository(FILES)


class TestLinks:
    def test_what_leads_nowhere_is_found(self) -> None:
        pages = {
            "index.html": read(
                '<link rel="canonical" href="https://example.com/"><h2 id="top">T</h2><a href="page/">1</a>'
                '<a href="page/#here">2</a><a href="page/#gone">3</a><a href="gone/">4</a><a href="#top">5</a>'
                '<a href="#no">6</a><a href="https://example.com/x">7</a><img src="https://example.com/a.png">'
                '<script src="a.js"></script><script src="b.js"></script>'
            ),
            "page/index.html": read('<h2 id="here">H</h2><a href="..">1</a><a href="../#top">2</a><a href=".">3</a>'),
            "404.html": read('<a href="/docs/page/">1</a><a href="/docs/gone/">2</a><a href="/page/">3</a>'),
        }
        assert broken(pages, [*pages, "a.js"], "/docs/") == [
            "404.html: /docs/gone/ leads to no page",
            "index.html: #no leads to no heading",
            "index.html: b.js leads to no page",
            "index.html: gone/ leads to no page",
            "index.html: loads https://example.com/a.png, which is not part of the website",
            "index.html: page/#gone leads to no heading",
        ]


class TestAddress:
    SETTINGS = '[project]\nsite_name = "A"\nsite_url = "https://searchaccess.dev/docs/"\ndocs_dir = "docs"\n'

    @pytest.mark.parametrize("url", ["https://example.com/team/docs", "https://example.com/team/docs/"])
    def test_it_can_be_served_below_any_path(self, url: str) -> None:
        assert tomllib.loads(settings_for(self.SETTINGS, url)) == {
            "project": {"site_name": "A", "site_url": "https://example.com/team/docs/", "docs_dir": "docs"}
        }

    def test_by_default_it_is_the_one_in_the_settings(self) -> None:
        assert settings_for(self.SETTINGS, "") == self.SETTINGS

    @pytest.mark.parametrize("url", ["/docs/", "example.com/docs", "file:///docs/", "https:docs"])
    def test_a_path_alone_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidAddress, match="is not an address such as https://"):
            settings_for(self.SETTINGS, url)
