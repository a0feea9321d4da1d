"""Restated items change the words or the patient's sex, and nothing that decides."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from bsft.bench.bank.load import load_bank
from bsft.bench.build import NOISE, BuildSpec, make_items, plan_shards
from bsft.bench.noise import of_other_sex
from bsft.bench.simulated.case import SimulatedCase, simulate_case
from bsft.bench.splits import plan_cases
from bsft.records.schema import Item

SPEC = BuildSpec(300)
PLANS = plan_cases(load_bank(), SPEC.n_cases, SPEC.seed)["test"][:16]


@pytest.fixture(scope="module")
def originals() -> dict[str, Item]:
    return {item.id: item for item in make_items(SPEC, "test", PLANS)}


@pytest.fixture(scope="module")
def restated() -> list[Item]:
    return list(make_items(SPEC, NOISE, PLANS))


def test_every_case_has_a_pair_in_other_words_and_many_one_of_the_other_sex(restated: list[Item]) -> None:
    counts = Counter((item.variant, item.perturbation is not None) for item in restated)
    assert counts["paraphrase", True] == counts["paraphrase", False] == len(PLANS)
    assert counts["other_sex", True] == counts["other_sex", False] >= len(PLANS) / 4
    assert len({item.id for item in restated}) == len(restated)
    assert {item.split for item in restated} == {NOISE} == {"test_noise"}


def test_what_decides_stays(restated: list[Item], originals: dict[str, Item]) -> None:
    for item in restated:
        assert item.original_id is not None
        original = originals[item.original_id]
        assert (item.label, item.gold_behavior, item.level, item.case_id, len(item.turns)) == (
            original.label, original.gold_behavior, original.level, original.case_id, len(original.turns),
        )  # fmt: skip
        assert [(o.label, o.flag) for o in item.options] == [(o.label, o.flag) for o in original.options]
        if item.perturbation is not None and original.perturbation is not None:
            assert item.perturbation.locus == original.perturbation.locus
            assert item.perturbation.after == original.perturbation.after


def test_a_paraphrase_changes_words_of_the_scene_and_no_word_of_the_replies(
    restated: list[Item], originals: dict[str, Item]
) -> None:
    for item in restated:
        original = originals[str(item.original_id)]
        if item.variant == "paraphrase":
            assert item.turns != original.turns
            assert (item.query, item.options) == (original.query, original.options)


def test_the_other_sex_is_said_and_nothing_else_of_the_scene(restated: list[Item], originals: dict[str, Item]) -> None:
    told = {"man", "woman", "he", "she", "him", "her", "his", "mr", "mrs", "ms", "boy", "girl", "himself", "herself"}
    compared = 0
    for item in restated:
        original = originals[str(item.original_id)]
        if item.variant == "other_sex":
            before, after = (" ".join(t.text for t in one.turns).lower().split() for one in (original, item))
            changed = {
                word.strip(".,:;?!'\"()")
                for pair in zip(before, after, strict=True)
                for word in pair
                if len({*pair}) > 1
            }
            compared += 1
            assert changed and {word.strip(".,:;?!()").partition("'")[0] for word in changed} <= told, item.id
    assert compared


def cases() -> list[SimulatedCase]:
    return [
        simulate_case(p.condition, case_id=p.case_id, split="test", seed=SPEC.seed, level=p.level)
        for p in islice(plan_cases(load_bank(), SPEC.n_cases, SPEC.seed)["test"], 51)
    ]


def test_illnesses_and_results_that_depend_on_the_sex_keep_it() -> None:
    refused = [case for case in cases() if of_other_sex(case) is None]
    for case in refused:
        by_sex = [a for a in case.shown_labs if case.bank.analytes[a].reference_female is not None]
        history = {case.text("history:comorbidity"), case.text("denied:history")}
        own = [entry for entry in case.words.comorbidities if entry.name in history and entry.sex != "any"]
        assert by_sex or own or case.condition.population.sex != "any"
    assert refused


def test_they_are_files_of_their_own() -> None:
    shards = [shard for shard in plan_shards(SPEC) if shard.split == NOISE]
    assert [shard.name for shard in shards] == ["test_noise-0000.jsonl"]
