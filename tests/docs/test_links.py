"""Links and pictures of the pages lead somewhere."""

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links


def broken(page):
    """Links of a page to files or headings that are not there."""
    for target in links(page):
        if '://' in target:
            continue
        name, _, heading = target.partition('#')
        path = page.parent / name if name else page
        if not path.exists() or (heading and heading not in anchors(path)):
            yield target


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_within_the_tree_lead_to_files_and_headings(page):
    assert list(broken(page)) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('# One, two\n[a](#one-two) [b](#two) ![c](no.png) [d](http://x)\n', 'utf-8')
    assert list(broken(page)) == ['#two', 'no.png']


def test_the_readme_leads_to_every_page():
    readme = ROOT / 'README.md'
    linked = {(ROOT / target.partition('#')[0]).resolve() for target in links(readme)}
    assert [page.name for page in PAGES if page != readme and page not in linked] == []
