"""A person who turns pages is not shown those on which looking found nothing."""

from __future__ import annotations

from service.application.reading.pages import Page, PageKey, read_on


class Pages:
    """A list that is found after so many empty pages."""

    def __init__(self, empty: int) -> None:
        self.empty = empty
        self.read_times = 0

    def read(self, after: PageKey | None) -> Page:
        self.read_times += 1
        number = 0 if after is None else int(after[1])
        return Page([], ("r", number + 1)) if number < self.empty else Page([{"return_id": "R-1"}], None)


def test_empty_pages_are_passed_over() -> None:
    assert read_on(Pages(7).read, None).items == [{"return_id": "R-1"}]


def test_a_page_with_anything_on_it_is_shown_whether_or_not_there_is_another_one() -> None:
    first, asked = Page([{"return_id": "R-1"}], ("r", 1)), list[PageKey | None]()

    def read(after: PageKey | None) -> Page:
        asked.append(after)
        return first

    assert read_on(read, None) == first
    assert asked == [None]


def test_a_list_of_nothing_is_one_empty_page() -> None:
    assert read_on(lambda _: Page([], None), None) == Page([], None)


def test_after_very_many_empty_pages_the_person_decides_whether_to_go_on() -> None:
    pages = Pages(1000)

    page = read_on(pages.read, ("r", 5))

    assert page == Page([], ("r", 5 + pages.read_times))
    assert pages.read_times < 50
