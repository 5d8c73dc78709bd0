"""Claims about splits: disjoint, complete, repeatable, blocks that never straddle, and the published test set."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from normbench.data import Dataset, Split, split_indices
from normbench.data.splits import block_ids
from normbench.errors import InvalidArgumentError

pytestmark = pytest.mark.quick

SEEDS = [0, 1, 2]


def dataset_of(*flights: np.ndarray) -> Dataset:
    time = np.concatenate(flights)
    return Dataset(
        name="clock",
        simulated=True,
        inputs=np.ones((len(time), 1)),
        outputs=np.ones((len(time), 1)),
        time=time,
        flight=np.repeat(np.arange(len(flights)), [len(flight) for flight in flights]),
        input_names=("x",),
        output_names=("y",),
        unit="N",
    )


TWO_FLIGHTS = dataset_of(35 + np.arange(6000) / 100, 100 + np.arange(2000) / 50)


def shared_blocks(dataset: Dataset, split: Split) -> int:
    ids = block_ids(dataset)
    return len(set(ids[split.train]) & set(ids[split.test]))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rule", ["random", "blocked"])
def test_parts_are_disjoint_and_complete(rule: str, seed: int) -> None:
    split = split_indices(TWO_FLIGHTS, rule=rule, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(8000))


@pytest.mark.parametrize("rule", ["random", "blocked"])
def test_split_is_fixed_by_its_seed(rule: str) -> None:
    first, again, other = (split_indices(TWO_FLIGHTS, rule=rule, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.train, again.train)
    np.testing.assert_array_equal(first.test, again.test)
    assert set(first.test.tolist()) != set(other.test.tolist())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rule", ["random", "blocked", "official", "grouped"])
def test_validation_is_a_fifth_of_the_training_part_and_has_no_test_sample(rule: str, seed: int) -> None:
    dataset = SEVEN_GROUPS if rule == "grouped" else PUBLISHED
    whole = split_indices(dataset, rule=rule, seed=seed)
    inner, again = (split_indices(dataset, rule=rule, seed=seed, judged_on="validation") for _ in range(2))
    np.testing.assert_array_equal(np.sort(np.concatenate([inner.train, inner.test])), np.sort(whole.train))
    assert not set(inner.test) & set(whole.test)
    np.testing.assert_array_equal(inner.test, again.test)
    np.testing.assert_array_equal(inner.train, again.train)
    unit = {"blocked": block_ids(PUBLISHED), "grouped": SEVEN_GROUPS.flight}.get(rule, np.arange(8000))
    assert not set(unit[inner.train]) & set(unit[inner.test])
    units = len(np.unique(unit[whole.train]))
    assert len(np.unique(unit[inner.test])) == units - round(0.8 * units)
    others = [split_indices(dataset, rule=rule, seed=seed + k, judged_on="validation") for k in (1, 2, 3)]
    assert any(set(inner.test) != set(other.test) for other in others)


def test_unknown_part_to_be_judged_on_lists_the_choices() -> None:
    with pytest.raises(InvalidArgumentError, match="judged_on must be one of test, validation; got 'train'"):
        split_indices(TWO_FLIGHTS, rule="random", seed=0, judged_on="train")


def test_random_split_of_the_published_size_trains_on_22401() -> None:
    split = split_indices(dataset_of(np.arange(28_001) / 100), rule="random", seed=0)
    assert (len(split.train), len(split.test)) == (22_401, 5_600)


def test_random_split_is_numpys_permutation() -> None:
    order = np.random.default_rng(3).permutation(8000)
    split = split_indices(TWO_FLIGHTS, rule="random", seed=3)
    np.testing.assert_array_equal(np.concatenate([split.train, split.test]), order)


@pytest.mark.parametrize("seed", SEEDS)
def test_blocked_split_shares_no_block_where_a_random_one_does(seed: int) -> None:
    assert shared_blocks(TWO_FLIGHTS, split_indices(TWO_FLIGHTS, rule="random", seed=seed)) > 0
    assert shared_blocks(TWO_FLIGHTS, split_indices(TWO_FLIGHTS, rule="blocked", seed=seed)) == 0


def test_blocks_last_5_s_and_stay_within_a_flight() -> None:
    ids = block_ids(TWO_FLIGHTS)
    assert ids.max() + 1 == 60 // 5 + 40 // 5
    for block in np.unique(ids):
        inside = ids == block
        assert len(np.unique(TWO_FLIGHTS.flight[inside])) == 1
        assert np.ptp(TWO_FLIGHTS.time[inside]) < 5


@pytest.mark.parametrize("seed", SEEDS)
def test_blocked_split_holds_out_a_fifth_of_the_blocks(seed: int) -> None:
    split = split_indices(TWO_FLIGHTS, rule="blocked", seed=seed)
    assert len(np.unique(block_ids(TWO_FLIGHTS)[split.test])) == 4


def test_unknown_rule_lists_the_choices() -> None:
    with pytest.raises(
        InvalidArgumentError, match="unknown split 'radnom'; choose from random, blocked, official, grouped"
    ):
        split_indices(TWO_FLIGHTS, rule="radnom", seed=0)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", None, np.array([1]), np.float64(1)])
def test_seed_that_is_no_integer_from_zero_is_refused(seed: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="seed of a split must be an integer of at least 0; got"):
        split_indices(TWO_FLIGHTS, rule="random", seed=seed)


@pytest.mark.parametrize("seed", [np.int64(3), np.uint8(3), np.array(3)])
@pytest.mark.parametrize("rule", ["random", "blocked"])
def test_numpy_seed_is_the_same_seed(rule: str, seed: Any) -> None:
    split, expected = (split_indices(TWO_FLIGHTS, rule=rule, seed=number) for number in (seed, 3))
    np.testing.assert_array_equal(split.train, expected.train)


@pytest.mark.parametrize("rule", ["random", "blocked"])
def test_too_little_data_for_two_parts_is_refused(rule: str) -> None:
    with pytest.raises(InvalidArgumentError, match="both parts need some"):
        split_indices(dataset_of(np.array([0.0])), rule=rule, seed=0)


MASK = np.arange(8000) % 7 == 3
PUBLISHED = replace(TWO_FLIGHTS, official=MASK)
SEVEN_GROUPS = replace(TWO_FLIGHTS, time=None, flight=np.arange(8000) % 7)


@pytest.mark.parametrize(("groups", "held_out"), [(2, 1), (3, 1), (6, 1), (7, 1), (8, 2), (20, 4)])
def test_grouped_split_holds_out_whole_groups_and_one_at_least(groups: int, held_out: int) -> None:
    dataset = replace(TWO_FLIGHTS, flight=np.arange(8000) % groups + 5)
    found = [split_indices(dataset, rule="grouped", seed=seed) for seed in range(9)]
    for split in found:
        tested, trained = (set(dataset.flight[rows]) for rows in (split.test, split.train))
        assert (len(tested), len(trained), tested & trained) == (held_out, groups - held_out, set())
        np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(8000))
    assert len({tuple(split.test) for split in found}) > 1


@pytest.mark.parametrize("flight", [None, np.zeros(8000, dtype=np.int64)])
def test_grouped_split_without_groups_names_the_other_rules(flight: np.ndarray | None) -> None:
    dataset = replace(TWO_FLIGHTS, time=None, flight=flight)
    said = "needs samples of several groups, and those of data set 'clock' have (none|1). Split .*: random\\."
    with pytest.raises(InvalidArgumentError, match=said):
        split_indices(dataset, rule="grouped", seed=0)
    with pytest.raises(InvalidArgumentError, match=r"leaves 0 training and .* validation samples"):
        split_indices(TWO_FLIGHTS, rule="grouped", seed=0, judged_on="validation")  # one of two is for testing


@pytest.mark.parametrize(("rule", "tested"), [("random", 4000), ("blocked", 10), ("grouped", 3)])
def test_another_share_can_be_held_out(rule: str, tested: int) -> None:
    dataset = SEVEN_GROUPS if rule == "grouped" else TWO_FLIGHTS
    split = split_indices(dataset, rule=rule, seed=0, test_share=0.5)
    unit = {"blocked": block_ids(TWO_FLIGHTS), "grouped": SEVEN_GROUPS.flight}.get(rule, np.arange(8000))
    assert len(np.unique(unit[split.test])) == tested


def test_official_split_is_the_published_one_whatever_the_seed() -> None:
    for seed in SEEDS:
        split = split_indices(PUBLISHED, rule="official", seed=seed)
        np.testing.assert_array_equal(split.train, np.flatnonzero(~MASK))
        np.testing.assert_array_equal(split.test, np.flatnonzero(MASK))


def test_random_split_draws_from_both_parts_of_a_published_split() -> None:
    split = split_indices(PUBLISHED, rule="random", seed=0)
    for rows in (split.train, split.test):
        assert 0 < MASK[rows].sum() < len(rows)


def test_official_split_without_a_published_test_set_names_the_other_rules() -> None:
    with pytest.raises(InvalidArgumentError, match=r"'clock' has none\. .*random or blocked or grouped"):
        split_indices(TWO_FLIGHTS, rule="official", seed=0)


@pytest.mark.parametrize(("official", "other"), [(None, "random\\."), (MASK, "random or official\\.")])
def test_blocked_split_without_times_names_the_other_rules(official: np.ndarray | None, other: str) -> None:
    timeless = replace(TWO_FLIGHTS, time=None, flight=None, official=official)
    with pytest.raises(InvalidArgumentError, match=f"'clock' have none. Split it by another rule: {other}"):
        split_indices(timeless, rule="blocked", seed=0)


@pytest.mark.parametrize("everywhere", [True, False])
def test_official_split_with_an_empty_part_is_refused(everywhere: bool) -> None:
    with pytest.raises(InvalidArgumentError, match="both parts need some"):
        split_indices(replace(TWO_FLIGHTS, official=np.full(8000, everywhere)), rule="official", seed=0)
