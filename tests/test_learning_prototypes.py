"""The learning benchmark: scenes are what it says, labels stand where they should, a fit goes on where it was."""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch

from benchmarks import _learning_fit as fits
from benchmarks._learning_examples import Labels, PairEncoder
from benchmarks._learning_facts import ACTS, CLASSES, LABS, PARTS, STEPS, VITALS
from benchmarks._learning_fit import Learner, evaluation_pairs, learnt, run, step_pairs
from benchmarks._learning_report import curves, draw, read, write_points
from benchmarks._learning_scenes import Form, Pair, held_out, make_pair
from benchmarks._learning_settings import Settings
from benchmarks._learning_slots import KINDS, Patient, Slot, limit, lookup, step
from bsft.data.prefix_tree import build_tree
from bsft.records.errors import BadInput

ALL = list(product(KINDS, (1, 3)))
TINY = Settings(model="tiny", pairs=6, pairs_per_step=4, eval_every=2, eval_pairs=4)


def some(kind: str, level: int, n: int = 150, *, test: bool = False, form: Form | None = None) -> list[Pair]:
    return [make_pair(kind, level, f"0 {i}", test=test, form=form or Form()) for i in range(n)]


@pytest.mark.parametrize(("kind", "level"), ALL)
def test_twins_differ_in_one_turn_and_have_the_same_errand(kind: str, level: int) -> None:
    for pair in some(kind, level):
        problem, calm = pair.scenes
        assert sum(a != b for a, b in zip(problem.turns, calm.turns, strict=True)) == 1
        assert (problem.request, problem.errand) == (calm.request, calm.errand)
        assert problem.concern and not calm.concern and calm.due is None


@pytest.mark.parametrize(("kind", "level"), ALL)
def test_a_problem_is_due_once_both_pieces_of_evidence_are_there(kind: str, level: int) -> None:
    for pair in some(kind, level):
        due, turns = pair.problem.due, pair.problem.turns
        assert due is not None
        changed = next(i for i, turn in enumerate(turns) if turn != pair.calm.turns[i])
        if kind in ("limit", "equality"):
            assert due == changed > 0
        else:  # the order comes after the finding
            assert due > changed and pair.problem.turns[due] == pair.calm.turns[due]


@pytest.mark.parametrize(("kind", "level"), ALL)
def test_there_are_thousands_of_pairs_in_several_wordings(kind: str, level: int) -> None:
    pairs = some(kind, level, 2000)
    assert len({pair.problem.turns for pair in pairs}) > 1980
    requests = Counter(pair.problem.request for pair in pairs)
    assert len(requests) >= 5 and min(requests.values()) > 100
    assert all((2 <= len(p.problem.turns) <= 4) if level == 1 else len(p.problem.turns) >= 8 for p in pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_pairs_have_combinations_of_their_own(kind: str) -> None:
    train = {c for pair in some(kind, 1, 600) for c in pair.combination}
    test = {c for pair in some(kind, 1, 200, test=True) for c in pair.combination}
    assert train and test and not train & test
    assert all(held_out(c) for c in test)


def test_the_same_name_makes_the_same_pair_and_another_name_another() -> None:
    one, again, other = (make_pair("lookup", 3, name, test=False, form=Form()) for name in ("0 1", "0 1", "0 2"))
    assert one == again != other


def drawn(make: Callable[[random.Random, Patient, int], Slot], n: int = 200) -> Iterator[tuple[Patient, Slot]]:
    for seed in range(n):
        rng = random.Random(seed)
        patient = Patient.draw(rng)
        yield patient, make(rng, patient, 2)


def test_values_of_problems_are_critical_and_those_of_twins_are_not() -> None:
    for _, slot in drawn(limit):
        check_values(slot)


def check_values(slot: Slot) -> None:
    name, bad, calm = slot.combination
    measure = next(m for m in (*VITALS, *LABS) if m.name == name)
    low, high = measure.reference
    value, harmless = (float(text.removesuffix(measure.unit)) for text in (bad, calm))
    assert any(r is not None and r[0] <= value <= r[1] for r in (measure.low, measure.high))
    assert low <= harmless <= high + 0.13 * (high - low) + 10**-measure.decimals
    assert bad in slot.finding[0] and calm in slot.finding[1] and bad in slot.concern


def test_only_the_problem_has_an_allergy_to_the_ordered_medicine() -> None:
    classes = {c.name: c for c in CLASSES}
    for patient, slot in drawn(lookup):
        own, medicine, other = slot.combination
        assert medicine in classes[own].medicines and medicine not in classes[other].medicines
        assert other not in classes[own].related and not {own, other} & set(patient.act.avoid)
        assert own in slot.concern and medicine in slot.concern


def test_the_pending_step_is_told_in_the_same_words_in_both_twins() -> None:
    pending = [pair for pair in some("step", 1) if pair.variant == "pending"]
    assert len(pending) > 40
    for pair in pending:
        problem, calm = (Counter(re.findall(r"[\w-]+", " ".join(s.turns))) for s in pair.scenes)
        assert problem == calm


def test_no_result_in_the_scene_is_the_missing_step() -> None:
    for pair in some("step", 3):
        act = next(a for a in ACTS if a.order == pair.combination[0][0])
        told = [t for t, calm in zip(pair.problem.turns, pair.calm.turns, strict=True) if t == calm]
        assert not any(f"{act.needs.removeprefix('the ')} " in turn for turn in told if "male, " not in turn)


def test_facts_refer_to_each_other() -> None:
    names = {c.name for c in CLASSES}
    assert all(act.needs in STEPS and set(act.also) <= set(STEPS) and set(act.avoid) <= names for act in ACTS)
    assert all(set(c.related) <= names for c in CLASSES)
    assert all("{s}" in text for part in PARTS for text in (part.complaint, *part.reports))
    assert all(len(set(STEPS) - {act.needs, *act.also}) >= 8 for act in ACTS)
    assert all((m.low is None or m.low[1] < m.reference[0]) for m in (*VITALS, *LABS))
    assert all((m.high is None or m.high[0] > m.reference[1] + 0.5 * (m.reference[1] - m.reference[0])) for m in LABS)


def test_a_step_done_beside_the_point_is_not_one_that_the_act_needs() -> None:
    for patient, slot in drawn(step):
        assert slot.combination[1] not in (patient.act.needs, *patient.act.also)


def test_several_slots_have_independent_problems_and_generic_replies_name_nothing() -> None:
    form = Form(reply="generic", n_slots=3)
    counts = Counter(len(pair.combination) for pair in some("lookup", 3, 300, form=form))
    assert set(counts) == {1, 2, 3} and counts[2] > counts[1] > 40
    for pair in some("lookup", 1, 100, form=form):
        assert sum(a != b for a, b in zip(*(s.turns for s in pair.scenes), strict=True)) == len(pair.combination)
        assert pair.combination[0][1] not in pair.problem.concern


def test_schedules_choose_levels_and_kinds_take_turns() -> None:
    curriculum = Settings(levels=[1, 3], schedule="curriculum", pairs=40)
    seen = [pair for i in range(curriculum.n_steps) for pair in step_pairs(curriculum, i)]
    assert [pair.level for pair in seen] == [1] * 80 + [3] * 80
    assert Counter(pair.kind for pair in seen) == dict.fromkeys(KINDS, 40)
    mixed = [pair.level for pair in step_pairs(replace(curriculum, schedule="mixed"), 0)]
    assert mixed == [1] * 4 + [3] * 4


def test_settings_that_do_nothing_are_refused_and_names_say_what_differs() -> None:
    assert Settings().name == "default"
    assert Settings(kinds=["step", "limit"], lr=2e-3).name == "kinds=step+limit,lr=0.002"
    with pytest.raises(BadInput, match="general_sft has none"):
        Settings(every_turn=1, method="general_sft")
    with pytest.raises(BadInput, match="needs two --levels, found 1"):
        Settings(schedule="curriculum")


@pytest.fixture(scope="module")
def encoder() -> PairEncoder:
    return Learner(TINY).encoder


def test_every_turn_has_a_label_that_changes_with_the_problem(encoder: PairEncoder) -> None:
    assert encoder.vocabulary is not None
    reactive, proactive = (encoder.vocabulary.id_of(name) for name in ("reactive", "proactive"))
    pair = make_pair("lookup", 3, "0", test=False, form=Form())
    examples = encoder.examples(pair, every_turn=True)
    n, due = len(pair.problem.turns), pair.problem.due
    assert due is not None and len(examples) == 2 * (n + 1)
    assert [e.behavior_id for e in examples[1 : n + 1]] == [reactive] * due + [proactive] * (n - due)
    assert [e.behavior_id for e in examples[n + 1 :]] == [reactive] * (n + 1)
    size = build_tree([e.ids for e in examples]).n_tokens
    plain = build_tree([e.ids for e in encoder.examples(pair, every_turn=False)]).n_tokens
    assert size < 1.5 * plain  # a turn costs the end of a prompt


def test_weights_stand_on_the_behaviour_and_on_the_token_that_decides(encoder: PairEncoder) -> None:
    assert encoder.vocabulary is not None
    pairs = [make_pair("limit", 1, str(i), test=False, form=Form()) for i in range(3)]
    [plain] = encoder.batches(pairs, Labels())
    [weighted] = encoder.batches(pairs, Labels(behavior_weight=5.0, decision_weight=7.0))
    assert set(plain.weights.tolist()) == {1.0}
    heavy = weighted.targets[weighted.weights == 7.0].tolist()
    assert sorted(heavy)[:6] == sorted([encoder.end[0]] * 3 + [encoder.encode(p.problem.concern)[0] for p in pairs])
    assert all(t in encoder.vocabulary.ids for t in weighted.targets[weighted.weights == 5.0].tolist())
    assert (weighted.weights == 5.0).sum() == 6 and (weighted.weights == 1.0).sum() == len(plain.weights) - 12


@pytest.mark.parametrize("method", ["behavior_sft", "general_sft"])
def test_ranking_reads_what_a_sequence_alone_would_give(method: str) -> None:
    learner = Learner(replace(TINY, method=method))
    pairs = some("equality", 1, 3, test=True)
    ranked = learner.rank(pairs)
    encoder, causal = learner.encoder, learner.backbone.causal
    learner.backbone.use_attention("sdpa")
    for own in ranked:
        for scene, score in zip(own.pair.scenes, (own.problem, own.calm), strict=True):
            ids = encoder.prompt(scene) + (encoder.encode(scene.errand) if method == "general_sft" else ())
            with torch.inference_mode():
                logits = causal(torch.tensor([ids])).logits[0, -1].float()
            if encoder.vocabulary is None:
                expected = logits[encoder.openers].logsumexp(0) - logits[encoder.end[0]]
            else:
                expected = logits[list(encoder.vocabulary.ids)].log_softmax(0)[2]
            assert score == pytest.approx(float(expected), abs=1e-4)


def test_an_interrupted_fit_goes_on_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(Learner(TINY), TINY, tmp_path / "whole")
    broken, steps = Learner(TINY), iter(range(4))
    step_of = broken.step

    def step_or_stop(pairs: list[Pair]) -> tuple[float, int]:
        if next(steps) == 3:
            raise KeyboardInterrupt
        return step_of(pairs)

    monkeypatch.setattr(broken, "step", step_or_stop)
    with pytest.raises(KeyboardInterrupt):
        run(broken, TINY, tmp_path / "parts")
    run(Learner(TINY), TINY, tmp_path / "parts")
    whole, parts = (json.loads((tmp_path / name / "points.json").read_text())["points"] for name in ("whole", "parts"))
    for point in (*whole, *parts):
        del point["seconds"]
    assert parts == whole and [point["pairs"] for point in whole] == [2, 4, 6]
    with pytest.raises(BadInput, match="holds a fit with other settings"):
        run(Learner(TINY), replace(TINY, lr=1e-4), tmp_path / "parts")


def test_a_fit_ends_when_enough_is_learnt_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def figures(*_: object) -> list[dict[str, object]]:
        return [{"kind": "limit", "level": 1, "auc": 0.96, "low": 0.9, "high": 1.0, "accuracy": 0.9}]

    monkeypatch.setattr(fits, "evaluate", figures)
    run(Learner(TINY), TINY, tmp_path / "fit")
    points = json.loads((tmp_path / "fit/points.json").read_text())["points"]
    assert len(points) == 2 and learnt(points) and not learnt(points[:1])


def test_the_report_says_when_the_goal_was_reached(tmp_path: Path) -> None:
    areas = (0.5, 0.92, 0.7, 0.93, 0.97, 0.99)
    points = [
        {
            "pairs": 160 * i,
            "tokens": 1000 * i,
            "kinds": [{"kind": "step", "level": 1, "auc": a, "low": a - 0.1, "high": a, "accuracy": 0.5}],
        }
        for i, a in enumerate(areas, start=1)
    ]
    (tmp_path / "kinds=step,lr=0.002").mkdir()
    (tmp_path / "kinds=step,lr=0.002/points.json").write_text(json.dumps({"points": points}))
    fits_read = read(tmp_path)
    [curve] = curves(fits_read)
    assert (curve.fit, curve.kind, curve.level) == ("lr=0.002", "step", 1)
    assert curve.reached is not None and curve.reached[:2] == (640, 4000)
    draw(fits_read, tmp_path / "figure")
    write_points(fits_read, tmp_path / "figure")
    assert (tmp_path / "figure.png").stat().st_size > 10_000 and (tmp_path / "figure.svg").exists()
    assert json.loads((tmp_path / "figure.json").read_text())["fits"][0]["points"] == points


def test_evaluation_pairs_are_held_out_and_have_one_problem() -> None:
    for pairs in evaluation_pairs(replace(TINY, slots=3, levels=[1, 3])):
        assert len(pairs) == 4 and all(len(p.combination) == 1 and held_out(p.combination[0]) for p in pairs)
