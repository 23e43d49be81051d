"""What a trial asks for, in Ray's words and in people's, and how many are handed out."""

import math

import pytest

from search_spaces.resources import Resources
from sweep.errors import UsageError
from sweep.resources import ClusterCapacity, Machines, NodeType, Request, Slots, as_config, places
from sweep.resources.capacity import GIB
from sweep.resources.requests import MARGIN, MOST_SHARING, SPARE, ResourceEstimator, share
from sweep.scheduling import Job
from trainables import Cell

CARD = NodeType({"CPU": 16.0, "GPU": 1.0}, gpu_bytes=80 * GIB)


def job(key="a", family="vae", wants=None, **fields):
    cell = Cell.model_validate({"family": {"kind": family} | fields, "policy": {"kind": "replace"}})
    return Job(cell, key, {}, resources=Resources.model_validate(wants or {}))


@pytest.mark.parametrize(
    ("request_", "bundle", "text"),
    [
        (Request(), {"CPU": 1.0}, "cpu 1"),
        (Request(cpu=3, gpu=0.125), {"CPU": 3.0, "GPU": 0.125}, "cpu 3, gpu 0.125"),
        (
            Request(gpu=2.0, accelerator="T4"),
            {"CPU": 1.0, "GPU": 2.0, "accelerator_type:T4": 0.001},
            "cpu 1, gpu 2, T4",
        ),
        (Request(memory=3 * 2**29), {"CPU": 1.0, "memory": 1.5 * GIB}, "cpu 1, memory 1.5GiB"),
    ],
)
def test_a_request_names_what_it_reserves_and_nothing_else(request_, bundle, text):
    assert request_.bundle == bundle
    assert str(request_) == text


def test_a_trial_is_told_its_threads_and_to_leave_a_card_alone_that_it_has_not_got():
    assert as_config(Request(cpu=2, gpu=0.5)) == {"bundle": {"CPU": 2.0, "GPU": 0.5}, "threads": 2}
    assert as_config(Request(hidden=True)) == {"bundle": {"CPU": 1.0}, "threads": 1, "device": "cpu"}


@pytest.mark.parametrize("need", [0.5, 9.1, 11.3, 14.9, 17.9, 18.1, 36.0, 36.1, 72.0, 73.0])
def test_as_many_share_a_card_as_its_memory_less_a_tenth_holds(need):
    """Against counting up; the share is 1/k, cut to four decimals so that k of them are one card at most."""
    k = 1
    while k < MOST_SHARING and (k + 1) * need <= SPARE * 80:
        k += 1
    found = share(need, 80.0)
    assert found == pytest.approx(1 / k, abs=1e-4)
    assert found * k <= 1.0
    assert math.floor(found * 1e4) / 1e4 == pytest.approx(found)


def test_what_was_seen_is_reserved_with_a_fifth_more_and_the_most_of_it_counts():
    needs, one = ResourceEstimator(ClusterCapacity([CARD])), job()
    for peak in (10 * GIB, 25 * GIB, 12 * GIB):
        needs.learn(one, peak)
    assert needs.request(one).gpu == share(MARGIN * 25, 80)
    assert needs.request(one).gpu == 0.5


def test_a_card_of_unknown_memory_is_not_shared():
    assert ResourceEstimator(ClusterCapacity([NodeType({"CPU": 1.0, "GPU": 4.0})])).request(job()).gpu == 1.0


def test_a_trial_that_did_not_fit_gets_a_whole_card_and_one_that_asked_for_several_keeps_them():
    needs = ResourceEstimator(ClusterCapacity([NodeType({"CPU": 1.0, "GPU": 4.0}, gpu_bytes=80 * GIB)]))
    for wants, gpu in (({"gpu": 0.25}, 1.0), ({"gpu": 2}, 2.0), ({"gpu": 0}, 0.0)):
        one = job(wants=wants)
        needs.isolate(one)
        assert needs.request(one).gpu == gpu


def test_a_trial_of_no_network_is_not_told_to_leave_cards_alone():
    needs = ResourceEstimator(ClusterCapacity([CARD]))
    assert needs.request(job(family="linear", wants={"gpu": 0})) == Request()
    assert needs.request(job(wants={"gpu": 0})) == Request(hidden=True)


def slots(count=1, most=None, **have):
    pool = ClusterCapacity([NodeType({"CPU": 2.0} | have, count)])
    return Slots(pool, ResourceEstimator(pool), most)


def test_beyond_what_fits_one_of_each_kind_waits_in_line():
    made, jobs = slots(), [job(str(n), "linear") for n in range(5)]
    for one in jobs[:2]:
        assert made.fits(one)
        made.take(one)
        made.started(one)
    assert made.fits(jobs[2]), "the next free place is its own"
    made.take(jobs[2])
    assert not made.fits(jobs[3])
    assert made.fits(job("b", "linear", {"cpu": 2})), "of another kind nobody waits"
    made.ended(jobs[0])
    assert not made.fits(jobs[3]), "who waits takes the free place"
    made.started(jobs[2])
    assert made.fits(jobs[3]), "and the next may wait in line"


def test_with_a_limit_nobody_waits_in_line():
    made, jobs = slots(count=9, most=2), [job(str(n), "linear") for n in range(3)]
    for one in jobs[:2]:
        assert made.fits(one)
        assert made.take(one) == made.held(one) == Request()
    assert not made.fits(jobs[2])
    made.ended(jobs[1])
    assert made.fits(jobs[2])
    tight = slots(most=5)
    for one in jobs[:2]:
        tight.take(one)
    assert not tight.fits(jobs[2]), "there is no place, whatever the limit"
    assert not slots(most=5).fits(job("c", "linear", {"gpu": 0.1})), "of what no node has there is none"


def test_a_place_is_given_back_as_it_was_taken_whatever_was_learned_meanwhile():
    pool = ClusterCapacity([CARD])
    made = Slots(pool, ResourceEstimator(pool), most=9)
    one, other = job("a"), job("b")
    taken = made.take(one).gpu
    made.needs.learn(one, 70 * GIB)
    assert made.needs.request(one).gpu == 1.0
    assert not made.fits(other), f"{taken} of the card is taken"
    made.ended(one)
    assert made.fits(other)


def test_a_trial_that_ends_twice_gives_one_place_back():
    made, jobs = slots(most=9), [job(str(n), "linear") for n in range(4)]
    for one in jobs[:2]:
        made.take(one)
    for _ in range(2):
        made.ended(jobs[0])
    assert made.fits(jobs[2])
    made.take(jobs[2])
    assert not made.fits(jobs[3])


@pytest.mark.parametrize(
    ("machines", "at_a_time"),
    [
        (Machines(cpus=3), 8),  # here the cores are those that Ray was started with
        (Machines(cpus=3, address="auto"), 3),
        (Machines(cpus=30, address="auto"), 8),
        (Machines(address="auto"), 8),
    ],
)
def test_trials_at_a_time_are_as_many_as_fit_and_as_were_asked_for(machines, at_a_time):
    _, found = places([job(family="linear")], machines, ClusterCapacity([NodeType({"CPU": 8.0})]), print)
    assert found == at_a_time


def test_the_smallest_kind_says_how_many_run_side_by_side_and_no_job_leaves_one():
    pool = ClusterCapacity([NodeType({"CPU": 8.0})])
    jobs = [job("a", "linear", {"cpu": 4}), job("b", "linear", {"cpu": 2}), job("c", "linear", {"cpu": 8})]
    assert places(jobs, Machines(), pool, print)[1] == 4
    assert places([], Machines(), pool, print)[1] == 1


@pytest.mark.parametrize(
    ("machines", "end"),
    [
        (Machines(), " or raise --cpus"),
        (Machines(address="auto"), ", add such a node, or say --wait if one will come"),
    ],
)
def test_what_no_node_has_room_for_is_told_with_the_first_cell_that_wants_it(machines, end):
    jobs = [job("a", "linear", {"cpu": 9}), job("b", "linear", {"cpu": 9})]
    with pytest.raises(UsageError) as refused:
        places(jobs, machines, ClusterCapacity([NodeType({"CPU": 8.0})]), print)
    assert str(refused.value) == (
        f"resources: no node has room for a trial with cpu 9 ({jobs[0].title}); there are 1 × (CPU 8); ask for less, "
        f"as in -o resources.cpu=1 or -o resources.gpu=auto{end}"
    )


def test_each_kind_that_is_waited_for_is_told_once():
    said = []
    jobs = [job("a", "linear", {"cpu": 9}), job("b", "linear", {"cpu": 9}), job("c", "linear", {"memory": "1GiB"})]
    places(jobs, Machines(wait=True), ClusterCapacity([NodeType({"CPU": 8.0})]), said.append)
    assert [line.split("a trial with ")[1].split(" (")[0] for line in said] == ["cpu 9", "cpu 1, memory 1GiB"]
    assert all(line.endswith("; there are 1 × (CPU 8); waiting for one") for line in said)
