"""Who the patient is and how ages and durations are spoken."""

from dataclasses import dataclass
from typing import Literal

from bsft.bench.bank.load import CHILD_AGE_YEARS

HOURS_PER_DAY, DAYS_PER_WEEK, DAYS_PER_MONTH, DAYS_PER_YEAR = 24, 7, 30.4, 365.25


@dataclass(frozen=True)
class Person:
    """Who the patient is, and the words that speak of them."""

    age_years: float
    sex: Literal["female", "male"]
    weight_kg: float

    @property
    def is_child(self) -> bool:
        return self.age_years < CHILD_AGE_YEARS

    @property
    def other_sex(self) -> Literal["female", "male"]:
        return "male" if self.sex == "female" else "female"

    @property
    def noun(self) -> str:
        female = self.sex == "female"
        if self.age_years < 1:
            return "baby girl" if female else "baby boy"
        if self.age_years < 18:
            return "girl" if female else "boy"
        return "woman" if female else "man"

    @property
    def age(self) -> str:
        """ "72 years", "5 months", "3 weeks"."""
        days = self.age_years * DAYS_PER_YEAR
        if days < 8 * DAYS_PER_WEEK:
            return plural(max(1, round(days / DAYS_PER_WEEK)), "week")
        if self.age_years < 2:
            return plural(max(2, round(days / DAYS_PER_MONTH)), "month")
        return plural(int(self.age_years), "year")

    @property
    def an_age(self) -> str:
        """ "a 72-year-old", "an 81-year-old"."""
        number, unit = self.age.split()
        article = "an" if number.startswith("8") or number in ("11", "18") else "a"
        return f"{article} {number}-{unit.removesuffix('s')}-old"

    def words(self) -> dict[str, str]:
        """Pronouns for templates."""
        if self.sex == "female":
            return {"subj": "she", "obj": "her", "poss": "her"}
        return {"subj": "he", "obj": "him", "poss": "his"}


def plural(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def ago(hours: float) -> str:
    """A duration before now in the largest unit that still says something: "5 hours ago", "3 weeks ago"."""
    days = hours / HOURS_PER_DAY
    if hours < 1:
        return plural(max(5, 5 * round(hours * 12)), "minute") + " ago"
    if hours < 2 * HOURS_PER_DAY:
        return plural(round(hours), "hour") + " ago"
    if days < 2 * DAYS_PER_WEEK:
        return plural(round(days), "day") + " ago"
    if days < 10 * DAYS_PER_WEEK:
        return plural(round(days / DAYS_PER_WEEK), "week") + " ago"
    if days < 2 * DAYS_PER_YEAR:
        return plural(round(days / DAYS_PER_MONTH), "month") + " ago"
    return plural(round(days / DAYS_PER_YEAR), "year") + " ago"
