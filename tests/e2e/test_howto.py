"""The how-to pages are followed from top to bottom on one running installation, and print what they show.

One page after the other; each begins with the examples and nothing else.
"""

from collections.abc import Iterator

import pytest

from tests.support.howto.stage import PAGES, HowtoStage, howto_stage
from tests.support.operatorprocess import ROOT
from tests.support.shellblocks import Block, File, blocks, parts

pytestmark = [pytest.mark.one_release, pytest.mark.usefixtures("built_servers")]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HowtoStage]:
    with howto_stage(tmp_path_factory.mktemp("howto")) as stage:
        yield stage


def test_the_readme_shows_what_is_printed(installation: HowtoStage) -> None:
    _, _, shown = (ROOT / "README.md").read_text().partition("## Example output")
    listed, described = blocks(shown)
    world = installation.world
    with installation.shell("README.md") as shell:
        shell.run(listed)
        role = world.role("shop-web")
        [entry] = [entry for entry in role["indices"] if "orders-*" in entry["names"]]
        entry["privileges"].append("write")
        del entry["query"]
        world.write_role("shop-web", role)
        shell.run(described)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed(page: str, installation: HowtoStage) -> None:
    follow(page, installation)


def follow(page: str, installation: HowtoStage) -> None:
    """Do what a page says, in its order."""
    found = parts((ROOT / page).read_text())
    assert any(isinstance(part, Block) and not part.not_run for part in found), f"nothing of {page} is run"
    with installation.shell(page) as shell:
        for part in found:
            if isinstance(part, File):
                shell.save(part)
            elif not part.not_run:
                shell.run(part)
