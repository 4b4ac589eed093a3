"""What a runner sees: one linear chain of ParDos, which no runner holds back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apache_beam as beam
import pytest
from apache_beam.internal import pickler
from apache_beam.pipeline import PipelineVisitor
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2 as api
from apache_beam.runners.portability.fn_api_runner import translations

from pipeline.flow import build
from tests.steps import a_pipeline, some_settings

if TYPE_CHECKING:
    from apache_beam.pipeline import AppliedPTransform

both_twins = pytest.mark.parametrize("bounded", [False, True], ids=["unbounded", "drain"])

IMPULSE = common_urns.primitives.IMPULSE.urn
PAR_DO = common_urns.primitives.PAR_DO.urn
PROCESS = common_urns.sdf_components.PROCESS_SIZED_ELEMENTS_AND_RESTRICTIONS.urn


def _job(*, bounded: bool) -> beam.Pipeline:
    pipeline = a_pipeline()
    build(pipeline, some_settings(bounded=bounded))
    return pipeline


def _proto(*, bounded: bool) -> api.Pipeline:
    return _job(bounded=bounded).to_runner_api()


def _leaves(proto: api.Pipeline) -> dict[str, api.PTransform]:
    """What runs, by label; a transform that gives what it takes is none."""
    return {
        each.unique_name: each
        for each in proto.components.transforms.values()
        if not each.subtransforms and each.spec.urn and dict(each.inputs) != dict(each.outputs)
    }


def _par_dos(proto: api.Pipeline) -> dict[str, api.ParDoPayload]:
    return {
        label: api.ParDoPayload.FromString(leaf.spec.payload)
        for label, leaf in _leaves(proto).items()
        if leaf.spec.urn == PAR_DO
    }


@both_twins
def test_nothing_but_par_dos_stands_between_the_source_and_the_acknowledgement(*, bounded: bool) -> None:
    """Behind a Flatten, GroupByKey, Reshuffle or Window nothing would run while the source lives."""
    proto = _proto(bounded=bounded)

    urns = [leaf.spec.urn for leaf in _leaves(proto).values()]
    assert 1 == urns.count(IMPULSE)
    assert {IMPULSE, PAR_DO} == set(urns)


@both_twins
def test_the_par_dos_are_one_linear_chain(*, bounded: bool) -> None:
    """Each takes one collection and gives one, and no collection is taken twice."""
    leaves = _leaves(_proto(bounded=bounded)).values()

    takes = [collection for leaf in leaves for collection in leaf.inputs.values()]
    gives = [collection for leaf in leaves for collection in leaf.outputs.values()]
    assert len(leaves) - 1 == len(takes)
    assert len(leaves) == len(gives)
    assert len(takes) == len(set(takes))
    assert set(takes) < set(gives)


@both_twins
def test_no_par_do_asks_for_what_some_runner_does_not_have(*, bounded: bool) -> None:
    """Side inputs, state, timers, bundle finalizers, stable or sorted input."""
    for label, payload in _par_dos(_proto(bounded=bounded)).items():
        asked_for = {
            "side inputs": bool(payload.side_inputs),
            "state": bool(payload.state_specs),
            "timers": bool(payload.timer_family_specs),
            "bundle finalizer": payload.requests_finalization,
            "stable input": payload.requires_stable_input,
            "sorted input": payload.requires_time_sorted_input,
        }

        assert [] == [name for name, asked in asked_for.items() if asked], label


@both_twins
def test_the_source_alone_is_splittable(*, bounded: bool) -> None:
    """A second one would be a second place to wait."""
    splittable = [label for label, payload in _par_dos(_proto(bounded=bounded)).items() if payload.restriction_coder_id]

    assert ["ReceiveReferences/Receive"] == splittable


@both_twins
def test_the_unbounded_twin_is_unbounded_and_the_drain_is_bounded(*, bounded: bool) -> None:
    """Runners decide between streaming and batch by it, down to the last step."""
    proto = _proto(bounded=bounded)
    leaves = _leaves(proto)

    expected = api.IsBounded.BOUNDED if bounded else api.IsBounded.UNBOUNDED
    for label in (
        "ReceiveReferences/Receive",
        "FetchObjects/Fetch",
        "ProcessObjects/Process",
        "WriteAndAcknowledge/Write",
    ):
        (collection,) = leaves[label].outputs.values()
        assert expected == proto.components.pcollections[collection].is_bounded, label


@both_twins
def test_the_whole_chain_is_fused_into_the_stage_of_the_source(*, bounded: bool) -> None:
    """So what is received runs through every step at once."""
    _, stages = translations.create_and_optimize_stages(
        _proto(bounded=bounded),
        phases=[
            translations.expand_sdf,
            translations.fix_side_input_pcoll_coders,
            translations.pack_combiners,
            translations.greedily_fuse,
            translations.sort_stages,
        ],
        known_runner_urns=frozenset({IMPULSE, common_urns.primitives.GROUP_BY_KEY.urn}),
    )

    (labels,) = [
        [each.unique_name for each in stage.transforms]
        for stage in stages
        if any(each.spec.urn == PROCESS for each in stage.transforms)
    ]
    for label in ("FetchObjects/Fetch", "ProcessObjects/Process", "WriteAndAcknowledge/Write"):
        assert label in labels


class _Walk(PipelineVisitor):
    """Notes every label and every DoFn."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.fns: list[beam.DoFn] = []

    def enter_composite_transform(self, transform_node: AppliedPTransform) -> None:
        self._note(transform_node)

    def visit_transform(self, transform_node: AppliedPTransform) -> None:
        self._note(transform_node)

    def _note(self, node: AppliedPTransform) -> None:
        self.labels.append(node.full_label)
        if isinstance(node.transform, beam.ParDo):
            self.fns.append(node.transform.fn)


def _walk(*, bounded: bool) -> _Walk:
    walk = _Walk()
    _job(bounded=bounded).visit(walk)
    return walk


@both_twins
def test_the_labels_are_stable(*, bounded: bool) -> None:
    """They are the identity of a running job when it is updated, and what an operator sees."""
    labels = [label for label in _walk(bounded=bounded).labels if not label.startswith("ReceiveReferences/Receivers/")]

    assert [
        "",
        "ReceiveReferences",
        "ReceiveReferences/Receivers",
        "ReceiveReferences/Receive",
        "FetchObjects",
        "FetchObjects/Fetch",
        "ProcessObjects",
        "ProcessObjects/Process",
        "WriteAndAcknowledge",
        "WriteAndAcknowledge/Write",
    ] == labels


@both_twins
def test_everything_pickles(*, bounded: bool) -> None:
    """Workers get copies; a copy of a copy is still good."""
    fns = _walk(bounded=bounded).fns

    assert 4 <= len(fns)
    for fn in fns:
        once = pickler.loads(pickler.dumps(fn))
        twice = pickler.loads(pickler.dumps(once))

        assert type(fn).__name__ == type(twice).__name__


@both_twins
def test_steps_pickle_by_reference(*, bounded: bool) -> None:
    """A step that was pickled by value would bring a `STOP` of its own, which nobody sets."""
    ours = [fn for fn in _walk(bounded=bounded).fns if type(fn).__module__.startswith("transforms.")]

    assert 4 == len(ours)
    for fn in ours:
        assert type(fn) is type(pickler.loads(pickler.dumps(fn)))
