"""A blind reading: do people who see only the scenes and requests agree with the benchmark?

    python -m benchmarks.reading sheet DIR --items 200 --per-kind 8 --output reading
    python -m benchmarks.reading score reading answers-1.json answers-2.json --json reading.json

`sheet` draws items of the test split: problems, clean twins and handled controls of every kind, and answering items.
It writes `scenes-N.md` for each reader (read first: note for each item whether something has to be raised unasked, and
what), `options-N.md` (read afterwards: the letter of the reply that says it) and `key.json`, which no reader sees.
Readers write `{"item": {"raise": "..." or null, "letter": "B"}}`. `score` counts how often the letter is gold, by kind.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from benchmarks import _common as common
from bsft.data.render import UNPROMPTED
from bsft.records.schema import Item
from bsft.records.store import open_benchmark

_TURNS = ("perturbed", "clean", "perturbed", "distractor", "plain")
"""Half of the items drawn of a kind have the problem; of the others, some have it handled."""


def drawn(items: Sequence[Item], n_items: int, per_kind: int, seed: int) -> list[Item]:
    """`per_kind` items of every kind of problem and, of every answering task, an equal share of the rest, shuffled; of
    each kind at most one item per case."""
    rng = random.Random(seed)
    kinds: dict[str, dict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for item in rng.sample(list(items), len(items)):
        kinds[kind_of(item)][item.variant].append(item)
    problems = [kind for kind in kinds if "/" in kind]
    per_task = (n_items - per_kind * len(problems)) // max(1, len(kinds) - len(problems))
    chosen = [item for kind in sorted(kinds) for item in _of_kind(kinds[kind], per_kind if "/" in kind else per_task)]
    return rng.sample(chosen, len(chosen))


def _of_kind(variants: dict[str, list[Item]], wanted: int) -> Iterator[Item]:
    cases: set[str] = set()
    piles = [iter(variants[name]) for name in _TURNS if name in variants]
    while wanted > len(cases) and piles:
        pile = piles.pop(0)
        fresh = next((item for item in pile if item.case_id not in cases), None)
        if fresh is not None:
            cases.add(fresh.case_id)
            piles.append(pile)
            yield fresh


def kind_of(item: Item) -> str:
    """The kind of an item's problem, of its twin's, or of the one that was dealt with; an answering item's task."""
    parts = item.id.split("/")
    return f"{item.task}/{parts[2]}" if len(parts) > 3 else item.task


def sheets(items: Sequence[Item], n_readers: int) -> Iterator[tuple[str, str, list[Item]]]:
    """Scenes, options and items of each reader."""
    for reader in range(n_readers):
        own = list(items[reader::n_readers])
        names = [f"{reader + 1}-{i + 1:02d}" for i in range(len(own))]
        scenes = "\n\n".join(_scene(name, item) for name, item in zip(names, own, strict=True))
        options = "\n\n".join(_options(name, item) for name, item in zip(names, own, strict=True))
        yield scenes + "\n", options + "\n", own


def _scene(name: str, item: Item) -> str:
    lines = [f"{turn.speaker}: {turn.text}" for turn in item.turns]
    return "\n".join([f"## Item {name}", *lines, "", f"Asked of you: {item.query or UNPROMPTED}"])


def _options(name: str, item: Item) -> str:
    return "\n".join([f"## Item {name}", *(f"{ascii_uppercase[i]}. {o.text}" for i, o in enumerate(item.options))])


def write_sheets(directory: Path, output: Path, args: argparse.Namespace) -> None:
    benchmark = open_benchmark(directory)
    chosen = drawn(list(benchmark.items(args.split)), args.items, args.per_kind, args.seed)
    output.mkdir(parents=True, exist_ok=True)
    key: dict[str, dict[str, Any]] = {}
    for reader, (scenes, options, own) in enumerate(sheets(chosen, args.readers), start=1):
        (output / f"scenes-{reader}.md").write_text(scenes, encoding="utf-8")
        (output / f"options-{reader}.md").write_text(options, encoding="utf-8")
        for i, item in enumerate(own, start=1):
            letter = next(ascii_uppercase[n] for n, option in enumerate(item.options) if option.label == item.label)
            key[f"{reader}-{i:02d}"] = {
                "id": item.id,
                "kind": kind_of(item),
                "variant": item.variant,
                "level": item.level,
                "letter": letter,
            }
    meta = {"benchmark": f"{benchmark.manifest.name} {benchmark.manifest.version}", "key": key}
    (output / "key.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
    print(f"{len(chosen)} items for {args.readers} readers in {output}")


def score(output: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Agreement with gold, overall, by kind and by variant, and every disagreement."""
    meta = json.loads((output / "key.json").read_text(encoding="utf-8"))
    answers: dict[str, dict[str, Any]] = {}
    for file in files:
        answers |= json.loads(file.read_text(encoding="utf-8"))
    key: dict[str, dict[str, Any]] = meta["key"]
    unknown, missing = sorted(answers.keys() - key.keys()), sorted(key.keys() - answers.keys())
    if unknown:
        raise SystemExit(f"answers to items that were not asked: {', '.join(unknown)}")
    read = {name: entry for name, entry in key.items() if name in answers}
    right = {name: answers[name]["letter"] == entry["letter"] for name, entry in read.items()}
    return {
        "benchmark": meta["benchmark"],
        "n": len(read),
        "missing": missing,
        "agreement": _share(right.values()),
        "kinds": _by(read, right, "kind"),
        "variants": _by(read, right, "variant"),
        "levels": _by(read, right, "level"),
        "disagreements": {n: {**read[n], "answer": answers[n]} for n, same in right.items() if not same},
    }


def _by(read: dict[str, dict[str, Any]], right: dict[str, bool], field: str) -> dict[str, list[float]]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for name, entry in read.items():
        groups[str(entry[field])].append(right[name])
    return {group: [_share(own), len(own)] for group, own in sorted(groups.items())}


def _share(values: Iterable[bool]) -> float:
    own = list(values)
    return sum(own) / len(own)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sheet = commands.add_parser("sheet", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    sheet.add_argument("data", type=Path, help="a built benchmark")
    sheet.add_argument("--output", type=Path, default=Path("multirun/reading"), help="directory of the sheets")
    sheet.add_argument("--split", default="test", help="split to draw from")
    sheet.add_argument("--items", type=int, default=200, help="items in all")
    sheet.add_argument("--per-kind", type=int, default=8, help="items of each kind of problem")
    sheet.add_argument("--readers", type=int, default=4, help="people who share the items")
    sheet.add_argument("--seed", type=int, default=0, help="of the draw")
    scored = commands.add_parser("score")
    scored.add_argument("output", type=Path, help="directory of the sheets")
    scored.add_argument("answers", type=Path, nargs="+", help="files that readers wrote")
    scored.add_argument("--json", type=Path, help="where to write the figures")
    args = parser.parse_args()
    if args.command == "sheet":
        write_sheets(args.data, args.output, args)
        return
    found = score(args.output, args.answers)
    title = f"{found['benchmark']}: {found['agreement']:.3f} of {found['n']} items"
    groups = found["kinds"] | found["variants"] | found["levels"]
    common.show(
        title, ("group", "items", "agreement"), [(group, n, f"{share:.2f}") for group, (share, n) in groups.items()]
    )
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
