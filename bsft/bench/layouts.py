"""Orders of the base scene, and who says what."""

from __future__ import annotations

import re

from bsft.bench.records import Role

LAYOUTS: tuple[tuple[str, ...], ...] = (
    ("intro", "story", "background", "allergy", "observations", "examination", "laboratory", "imaging", "order"),
    ("intro", "observations", "story", "background", "allergy", "examination", "imaging", "laboratory", "order"),
    ("intro", "background", "allergy", "story", "examination", "observations", "laboratory", "imaging", "order"),
    ("intro", "story", "examination", "observations", "allergy", "background", "imaging", "laboratory", "order"),
    ("intro", "observations", "examination", "story", "allergy", "background", "laboratory", "imaging", "order"),
    ("intro", "allergy", "story", "observations", "background", "examination", "laboratory", "imaging", "order"),
)
"""Orders of the base scene. Results and the order come last, so that tasks that must not see them use a prefix."""

SPEAKERS: dict[str, tuple[tuple[str, Role], ...]] = {
    "intro": (("Resident", "resident"), ("Attending", "attending"), ("Nurse", "nurse"), ("Consultant", "consultant")),
    "background": (("Resident", "resident"), ("Pharmacist", "pharmacist"), ("Nurse", "nurse")),
    "allergy": (("Nurse", "nurse"), ("Pharmacist", "pharmacist"), ("Resident", "resident")),
    "observations": (("Nurse", "nurse"),),
    "examination": (("Resident", "resident"), ("Attending", "attending"), ("Consultant", "consultant")),
    "laboratory": (("Laboratory", "record"),),
    "imaging": (("Report", "record"),),
    "order": (("Attending", "attending"), ("Consultant", "consultant"), ("Resident", "resident")),
}

TALKING_AGE_YEARS = 10
"""Younger patients do not tell their own story."""
UNABLE_TO_TELL = re.compile(
    r"unconscious|unrous|unrespons|convuls|seizure|coma\b|confus|disorient|drows|collapse|stupor|rambling|deliri|aphasi"
    r"|slurred|dysarthri|word-finding|speechless|asterixis|incoherent",
    re.IGNORECASE,
)

SPECIALTY_NAMES = {
    "emergency_medicine": "emergency medicine",
    "infectious_disease": "infectious diseases",
    "obstetrics_gynaecology": "obstetrics and gynaecology",
}
