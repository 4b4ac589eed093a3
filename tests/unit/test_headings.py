"""Headings, anchors and sections of a markdown page."""

from __future__ import annotations

from docs_site.headings import anchor, headings, section

PAGE = """\
# Title

## First `--option`

one

```bash
# no heading
```

### Part of it

two

#### Deeper

three

### Another part

four

## Second

five
"""


def test_an_anchor_is_the_one_that_code_hosts_make() -> None:
    """Lower case, no punctuation, a hyphen for each space."""
    assert "--give_up_after-and-the-queues-maxreceivecount" == anchor(
        "`--give_up_after` and the queue's `maxReceiveCount`"
    )


def test_a_comment_in_a_code_block_is_no_heading() -> None:
    """Though it begins with the same character."""
    assert ["Title", "First `--option`", "Part of it", "Deeper", "Another part", "Second"] == [
        heading.title for heading in headings(PAGE)
    ]


def test_a_section_ends_with_the_next_of_its_level_and_its_parts_begin_at_level_2() -> None:
    """So that it can stand under the title of another page."""
    text = section(PAGE, "first---option")

    assert text.startswith("one\n")
    assert text.endswith("four")
    assert [(2, "Part of it"), (3, "Deeper"), (2, "Another part")] == [(h.level, h.title) for h in headings(text)]


def test_the_last_section_ends_with_the_page() -> None:
    """There is no heading after it."""
    assert "five" == section(PAGE, "second")


def test_a_part_that_is_left_out_takes_its_own_parts_along() -> None:
    """And nothing else."""
    text = section(PAGE, "first---option", without={"part-of-it"})

    assert ["Another part"] == [heading.title for heading in headings(text)]
    assert ("one" in text, "two" in text, "three" in text, "four" in text) == (True, False, False, True)
