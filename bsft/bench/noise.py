"""Restated items: a pair of twins once more with nothing changed that matters, which is how much noise an effect has.

Either the conversation is worded otherwise (`paraphrase`), or the patient is of the other sex (`other_sex`), where the
illness, its findings and the problem do not depend on it. Facts, problem, request and options stay.
"""

from collections.abc import Iterator
from dataclasses import replace

from bsft.bench.limits import reference_range
from bsft.bench.person import Person
from bsft.bench.problem import Problem
from bsft.bench.simulated.case import SimulatedCase
from bsft.bench.tasks import Alerting, pairs_of
from bsft.bench.tasks.alerting import Kind, alert_items
from bsft.records.schema import Item, Variant, noise_split

Pair = tuple[Alerting, Kind, Problem]


def restated_items(case: SimulatedCase) -> Iterator[Item]:
    """Both twins of one of the case's pairs, in other words and, where it does not matter, of the other sex."""
    pair = case.rng("restated").choice(pairs_of(case))
    yield from _restated(pair, case, replace(case, paraphrased=True), "paraphrase")
    if (other := of_other_sex(case)) is not None:
        yield from _restated(pair, case, other, "other_sex")


def _restated(pair: Pair, original: SimulatedCase, case: SimulatedCase, variant: Variant) -> Iterator[Item]:
    _, kind, problem = pair
    for module, own_kind, own in pairs_of(case):
        if own_kind is kind and (own.slot, own.field, own.before, own.after) == _edit(problem):
            items = alert_items(module.SPEC, module.KINDS, case, own_kind, own, handled=False, original=original)
            for item in items:
                changed = {"id": f"{item.id}/{variant}", "original_id": item.id, "variant": variant, "twin_id": None}
                yield item.model_copy(update={**changed, "split": noise_split(item.split)})


def _edit(problem: Problem) -> tuple[str, str, str, str]:
    return problem.slot, problem.field, problem.before, problem.after


def of_other_sex(case: SimulatedCase) -> SimulatedCase | None:
    """The same case with a patient of the other sex; None where the illness or a result on show depends on it."""
    person, bank = case.person, case.bank
    other = Person(person.age_years, person.other_sex, person.weight_kg)
    depends = case.condition.population.sex != "any" or any(
        reference_range(bank.analytes[a], person) != reference_range(bank.analytes[a], other) for a in case.shown_labs
    )
    history = {case.text("history:comorbidity"), case.text("denied:history")}
    if depends or any(entry.sex != "any" for entry in case.words.comorbidities if entry.name in history):
        return None
    who = case.case.demographics.model_copy(update={"sex": other.sex})
    return replace(case, case=case.case.model_copy(update={"demographics": who}))
