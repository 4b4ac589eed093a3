"""Values between bounds."""

from __future__ import annotations

from transforms.histograms import DURATION_BOUNDS_S, LAG_BOUNDS_S, Histogram, added


def test_a_value_counts_at_the_first_bound_that_is_not_below_it() -> None:
    """As Prometheus means `le`; what is over all bounds has a place of its own."""
    histogram = Histogram((1, 5))
    for value in (0, 1, 1.5, 5, 6):
        histogram.observe(value)

    assert {"counts": [2, 2, 1], "sum": 13.5} == histogram.observed()


def test_what_was_observed_stays_as_it_is() -> None:
    """It is on its way to another process."""
    histogram = Histogram((1,))
    before = histogram.observed()
    histogram.observe(1)

    assert {"counts": [0, 0], "sum": 0.0} == before


def test_histograms_add_up() -> None:
    """Those of several processes."""
    histogram = Histogram((1,))
    histogram.observe(2)

    assert {"counts": [0, 2], "sum": 4.0} == added(added(None, histogram.observed()), histogram.observed())


def test_bounds_rise() -> None:
    """Or the search would find anything."""
    for bounds in (DURATION_BOUNDS_S, LAG_BOUNDS_S):
        assert sorted(set(bounds)) == list(bounds)
