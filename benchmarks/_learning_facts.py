"""Facts of the learning prototypes: measures and their limits, body parts, medicines by class, steps before an act.

Prototypes for measuring what a trainer can teach, not advice: limits and rules are those that a ward would agree on.
"""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Measure:
    """Something measured: its reference range and, where they exist, ranges of values far below and far above it."""

    name: str
    unit: str
    decimals: int
    reference: Range
    low: Range | None = None
    high: Range | None = None

    def written(self, value: float) -> str:
        return f"{value:.{self.decimals}f}{self.unit}"


VITALS = (
    Measure("heart rate", "/min", 0, (60, 100), (26, 34), (165, 195)),
    Measure("oxygen saturation", "%", 0, (94, 99), (66, 81)),
    Measure("systolic pressure", " mmHg", 0, (105, 140), (52, 68), (226, 248)),
    Measure("respiratory rate", "/min", 0, (12, 20), (4, 6), (37, 48)),
    Measure("temperature", " °C", 1, (36.1, 37.5), (30.5, 33.2), (40.7, 41.9)),
)
LABS = (
    Measure("potassium", " mmol/L", 1, (3.5, 5.3), (1.8, 2.3), (6.9, 8.1)),
    Measure("sodium", " mmol/L", 0, (133, 146), (106, 116), (161, 172)),
    Measure("glucose", " mmol/L", 1, (4.0, 7.8), (1.1, 2.1), (33.0, 48.0)),
    Measure("haemoglobin", " g/L", 0, (115, 165), (38, 56)),
    Measure("platelets", " x10^9/L", 0, (150, 400), (3, 14)),
    Measure("calcium", " mmol/L", 2, (2.20, 2.60), (1.35, 1.62), (3.45, 4.10)),
    Measure("lactate", " mmol/L", 1, (0.5, 2.0), None, (7.5, 13.5)),
    Measure("creatinine", " umol/L", 0, (59, 104), None, (590, 880)),
    Measure("bicarbonate", " mmol/L", 0, (22, 29), (4, 9)),
    Measure("magnesium", " mmol/L", 2, (0.70, 1.00), (0.22, 0.37), (2.60, 3.90)),
)


@dataclass(frozen=True)
class Part:
    """A part of the body that exists twice: the complaint about it, and what reports say; `{s}` is the side."""

    complaint: str
    reports: tuple[str, ...]


PARTS = (
    Part("a painful {s} knee", ("effusion of the {s} knee", "no fracture of the {s} knee")),
    Part("pleuritic pain in the {s} side of the chest", ("consolidation of the {s} lower lobe", "small {s} effusion")),
    Part("pain in the {s} flank", ("dilated {s} renal pelvis", "stone in the {s} ureter")),
    Part("a red and painful {s} eye", ("infiltrate of the {s} cornea", "pressure raised in the {s} eye")),
    Part("a swollen {s} calf", ("thrombus in the {s} popliteal vein", "oedema of the {s} calf, no thrombus")),
    Part("pain in the {s} hip after a fall", ("fracture of the {s} femoral neck", "arthrosis of the {s} hip")),
    Part("pain in the {s} wrist after a fall", ("fracture of the {s} distal radius", "no fracture of the {s} wrist")),
    Part("an ache in the {s} ear", ("fluid behind the {s} eardrum", "the {s} eardrum is perforated")),
    Part("a lump in the {s} breast", ("a cyst of the {s} breast", "a solid mass of the {s} breast")),
    Part("pain in the {s} shoulder", ("tear of the {s} supraspinatus tendon", "calcification of the {s} shoulder")),
    Part("a swollen {s} ankle", ("fracture of the {s} lateral malleolus", "no fracture of the {s} ankle")),
    Part("pain in the {s} groin", ("an inguinal hernia on the {s}", "enlarged nodes in the {s} groin")),
    Part("a tender {s} elbow", ("effusion of the {s} elbow", "bursitis of the {s} elbow")),
    Part("a cold {s} foot", ("occlusion of the {s} femoral artery", "narrowed {s} tibial arteries")),
    Part("weakness of the {s} hand", ("compression of the {s} median nerve", "the {s} ulnar nerve is slow")),
    Part("a swelling in front of the {s} ear", ("a stone in the {s} parotid duct", "a cyst of the {s} parotid")),
)


@dataclass(frozen=True)
class MedicineClass:
    """Medicines that share an allergy, why one is given here, and classes for which the allergy is debatable."""

    name: str
    reason: str
    medicines: tuple[str, ...]
    related: tuple[str, ...] = ()


CLASSES = (
    MedicineClass(
        "penicillins", "the infection", ("amoxicillin", "co-amoxiclav", "flucloxacillin"), ("cephalosporins",)
    ),
    MedicineClass("cephalosporins", "the infection", ("cefuroxime", "ceftriaxone", "cefalexin"), ("penicillins",)),
    MedicineClass("macrolides", "the infection", ("clarithromycin", "azithromycin", "erythromycin")),
    MedicineClass("quinolones", "the infection", ("ciprofloxacin", "levofloxacin", "moxifloxacin")),
    MedicineClass("sulfonamides", "the infection", ("co-trimoxazole", "sulfadiazine")),
    MedicineClass("tetracyclines", "the infection", ("doxycycline", "minocycline", "lymecycline")),
    MedicineClass("NSAIDs", "the pain", ("ibuprofen", "diclofenac", "naproxen")),
    MedicineClass("opioids", "the pain", ("morphine", "oxycodone", "codeine")),
    MedicineClass("statins", "the cholesterol", ("simvastatin", "atorvastatin", "rosuvastatin")),
    MedicineClass("ACE inhibitors", "the blood pressure", ("ramipril", "lisinopril", "enalapril")),
    MedicineClass("heparins", "the prevention of clots", ("enoxaparin", "dalteparin", "tinzaparin")),
)
REACTIONS = ("anaphylaxis", "a widespread rash", "facial swelling", "wheezing", "hives", "angioedema")


@dataclass(frozen=True)
class Act:
    """Something ordered and the one step that has to come first.

    Attributes:
        complaint: what the patient comes with.
        order: completes "let us ...".
        needs: the step.
        also: other steps that would be sensible here, so that none of them serves as a beside-the-point one.
        avoid: classes of medicines that would make a second problem.
        fertile: the step matters in women who may be pregnant; other acts are for patients past that age.
    """

    complaint: str
    order: str
    needs: str
    also: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    fertile: bool = False


PREGNANCY, POTASSIUM, CREATININE, CALCIUM = "the pregnancy test", "the potassium", "the creatinine", "the calcium"
CULTURES, HEAD_CT, INR, ECG = "blood cultures", "the CT of the head", "the INR", "the ECG"
TUBE, TB, WHITE_CELLS = "the X-ray of the tube", "the tuberculosis screen", "the white cell count"
MRI_FORM, CROSSMATCH, SWALLOW, LIVER = "the MRI safety form", "the cross-match", "the swallow test", "the liver panel"
ECHO, TPMT, HLA, EYES = "the echocardiogram", "the TPMT level", "the HLA-B*57:01 test", "the retinal check"
STEPS = (
    *(PREGNANCY, POTASSIUM, CREATININE, CALCIUM, CULTURES, HEAD_CT, INR, ECG, TUBE, TB, WHITE_CELLS),
    *(MRI_FORM, CROSSMATCH, SWALLOW, LIVER, ECHO, TPMT, HLA, EYES),
)
_BLOOD = (POTASSIUM, CREATININE, LIVER, WHITE_CELLS)
_ANTIBIOTICS = ("penicillins", "cephalosporins", "macrolides", "quinolones", "sulfonamides", "tetracyclines")

ACTS = (
    Act("a flare of arthritis", "start methotrexate", PREGNANCY, (*_BLOOD, TB), (*_ANTIBIOTICS, "NSAIDs"), True),
    Act("severe acne", "start isotretinoin", PREGNANCY, _BLOOD, ("tetracyclines",), True),
    Act("new seizures", "start valproate", PREGNANCY, (*_BLOOD, HEAD_CT, ECG), _ANTIBIOTICS, True),
    Act(
        "pain after a road accident",
        "do the CT of the pelvis",
        PREGNANCY,
        (*_BLOOD, HEAD_CT, CROSSMATCH, INR),
        (),
        True,
    ),
    Act("diabetic ketoacidosis", "start the insulin infusion", POTASSIUM, (*_BLOOD, ECG, CULTURES)),
    Act(
        "fast atrial fibrillation", "load with digoxin", POTASSIUM, (*_BLOOD, ECG, ECHO, INR, CALCIUM), ("macrolides",)
    ),
    Act("sepsis", "give meropenem now", CULTURES, (*_BLOOD, INR), _ANTIBIOTICS),
    Act("suspected endocarditis", "start the antibiotics", CULTURES, (*_BLOOD, ECHO, ECG), _ANTIBIOTICS),
    Act("headache and drowsiness", "do the lumbar puncture", HEAD_CT, (INR, WHITE_CELLS, CULTURES), ("heparins",)),
    Act("a new stroke", "give the thrombolysis", HEAD_CT, (INR, ECG, CREATININE), ("heparins", "NSAIDs")),
    Act("suspected dissection", "do the contrast CT", CREATININE, (*_BLOOD, ECG, CROSSMATCH, INR, ECHO), ("heparins",)),
    Act("bipolar disorder", "start lithium", CREATININE, (*_BLOOD, ECG, CALCIUM), ("NSAIDs", "ACE inhibitors")),
    Act("poor intake", "start the tube feeds", TUBE, (*_BLOOD, SWALLOW, CALCIUM)),
    Act("ulcerative colitis", "start infliximab", TB, (*_BLOOD, ECHO), ("NSAIDs",)),
    Act("schizophrenia", "give the next clozapine", WHITE_CELLS, (*_BLOOD, ECG, ECHO), (*_ANTIBIOTICS, "opioids")),
    Act(
        *("a broken hip on warfarin", "go to theatre", INR, (*_BLOOD, ECG, ECHO, CROSSMATCH, CALCIUM)),
        avoid=(*_ANTIBIOTICS, "NSAIDs", "heparins"),
    ),
    Act("back pain", "do the MRI of the spine", MRI_FORM, (CREATININE,)),
    Act("a bleeding ulcer", "transfuse two units", CROSSMATCH, (*_BLOOD, INR, ECG), ("NSAIDs", "heparins")),
    Act("a stroke last night", "let the patient eat", SWALLOW, (HEAD_CT, INR, ECG, TUBE), ("heparins", "NSAIDs")),
    Act("agitation", "start haloperidol", ECG, (*_BLOOD, HEAD_CT, CALCIUM), (*_ANTIBIOTICS, "opioids")),
    Act("lymphoma", "give the doxorubicin", ECHO, (*_BLOOD, ECG), ("NSAIDs", "heparins")),
    Act("Crohn's disease", "start azathioprine", TPMT, (*_BLOOD, TB), ("NSAIDs", "ACE inhibitors")),
    Act("newly found HIV", "start abacavir", HLA, (*_BLOOD, TB)),
    Act("lupus", "start hydroxychloroquine", EYES, (*_BLOOD, ECG), _ANTIBIOTICS),
    Act("brittle bones", "give the denosumab", CALCIUM, (*_BLOOD, ECG)),
    Act("tuberculosis", "start rifampicin", LIVER, (*_BLOOD, TB, EYES, INR, ECG), (*_ANTIBIOTICS, "statins")),
)
