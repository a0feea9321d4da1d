"""Texts written up: asked for their structure, then for a scene, checked against the text, corrected until they pass.

All texts of a source are written up in parallel and resumably, with a progress bar and a report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from bsft.display.progress import progress_bar
from bsft.importing.demographics import HOURS, in_years, sex_in, sex_of_pronouns
from bsft.importing.files import CASES_FILE, reported_output, write_records
from bsft.importing.report import ImportReport
from bsft.importing.writer.check import Source, check_case, check_scene
from bsft.importing.writer.documents import Document, parts, read_documents, tokens
from bsft.importing.writer.drafts import CaseDraft, CaseScene, FactDraft, SceneDraft, schema_of
from bsft.importing.writer.findings import load_lexicon
from bsft.importing.writer.options import WriterOptions
from bsft.records.errors import BadInput, explain
from bsft.records.schema import Case, Demographics, DifferentialDiagnosis, Fact, Turn
from bsft.records.store import check_replaceable
from bsft.records.untrusted import parse_json, read_yaml

try:
    from bsft.importing.writer.endpoint import Completion, CompletionCache, Endpoint, NotWritten
except ImportError as error:
    raise BadInput(f"importing text needs the package {error.name}: pip install 'bsft[writer]'") from None

WRITER_SOURCE = "written up by a language model"
PROMPTS = TypeAdapter(dict[str, str]).validate_python(read_yaml(Path(__file__).with_name("prompts.yaml")))
MAX_PROBLEMS = 8
"""More would drown the model; what remains is found at the next attempt."""

DraftT = TypeVar("DraftT", bound=BaseModel)
SCENES_FILE = "scenes.jsonl"
MAX_FAILED_IN_A_ROW = 5
"""After so many texts in a row for which the endpoint gave no reply at all, it is taken to be down."""

_ENDPOINT_FAILURES = ("failed_timeout", "failed_no_connection", "failed_rate_limit", "failed_server_error")


def write_texts(source: Path, output: Path, options: WriterOptions) -> ImportReport:
    """Writes `cases.jsonl`, `scenes.jsonl` and the report.

    Replies are cached as they come, so that an interrupted run, called again, continues where it stopped.

    Args:
        source: a directory of texts or a JSONL file.

    Raises:
        BadInput: the source is wrong, the output holds something else, the endpoint cannot be used, or no text could
            be written up.
    """
    check_replaceable(output, source=source)
    report = ImportReport("text", str(source))
    documents = read_documents(source, report)
    endpoint = Endpoint(options, CompletionCache())
    try:
        written = _write_all(documents, endpoint, options)
    finally:
        endpoint.close()
    report.usage = dict(sum((each.usage for each in written), Counter()))
    report.dropped = [each.failure for each in written if each.failure is not None]
    with reported_output(output, report) as directory:
        cases = [each.case for each in written if each.case is not None]
        scenes = [each.scene for each in written if each.scene is not None]
        for name, records in ((CASES_FILE, cases), (SCENES_FILE, scenes)):
            report.written[name] = write_records(directory / name, records)
    return report


def _write_all(documents: Sequence[Document], endpoint: Endpoint, options: WriterOptions) -> list[Written]:
    """All texts, in their order; several at a time."""
    load_lexicon()  # once, before threads ask for it
    results: dict[str, Written] = {}
    failed_in_a_row = 0
    pool = ThreadPoolExecutor(options.workers)
    try:
        with progress_bar("writing up texts", len(documents), shown=options.progress) as advance:
            for future in as_completed([pool.submit(write_up, text, endpoint, options) for text in documents]):
                written = future.result()
                results[written.document.id] = written
                unreachable = any(written.usage[name] for name in _ENDPOINT_FAILURES)
                failed_in_a_row = failed_in_a_row + 1 if unreachable else 0
                if failed_in_a_row == MAX_FAILED_IN_A_ROW:
                    raise BadInput(
                        f"stopped after {failed_in_a_row} texts in a row without a reply, the last: {written.failure}; "
                        f"{len(results)} of {len(documents)} texts are done; run the same command again to continue"
                    )
                advance(1)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [results[document.id] for document in documents]


# --- one text ---


@dataclass
class Written:
    """What became of one text. Either both `case` and `scene` are there, or `failure` says why not."""

    document: Document
    case: Case | None = None
    scene: CaseScene | None = None
    failure: str | None = None
    usage: Counter[str] = field(default_factory=Counter)


def write_up(document: Document, endpoint: Endpoint, options: WriterOptions) -> Written:
    """A text's case and scene, or why there are none. May be called from several threads.

    Raises:
        BadInput: no text can be written up: wrong key, unknown model.
    """
    written = _Attempt(document, endpoint, options, fresh=False).write()
    failed_earlier = written.failure is not None and written.usage["replies_from_cache"] and not written.usage["calls"]
    if options.redo_failed and failed_earlier:
        return _Attempt(document, endpoint, options, fresh=True).write()
    return written


class _Attempt:
    """Asks, checks, and asks again with the reasons; counts what that takes.

    Attributes:
        fresh: ask even if the cache has a reply.
    """

    def __init__(self, document: Document, endpoint: Endpoint, options: WriterOptions, *, fresh: bool) -> None:
        self.document, self.endpoint, self.options, self.fresh = document, endpoint, options, fresh
        self.source = Source(document.text)
        self.usage: Counter[str] = Counter()

    def write(self) -> Written:
        try:
            drafts = [
                self._ask("structure", PROMPTS["structure_request"].format(text=part), "case", CaseDraft, check_case)
                for part in self._parts()
            ]
            case = _case(self.document, drafts, self.options.licence)
            return Written(self.document, case, self._scene(case, drafts), usage=self.usage)
        except NotWritten as error:
            self.usage[f"failed_{error.kind}"] += 1
            return Written(self.document, failure=f"{self.document.id}: {error}", usage=self.usage)

    def _parts(self) -> list[str]:
        """The text, or its parts if it is too long and may be cut."""
        text, fits = self.document.text, self._room("structure", CaseDraft)
        if tokens(text) <= fits:
            return [text]
        if not self.options.split or fits <= 0:
            raise NotWritten(
                "too_long",
                f"the text has about {tokens(text):,} tokens, and {max(fits, 0):,} fit into context_tokens="
                f"{self.options.context_tokens} beside prompt and replies; raise context_tokens or give split=true",
            )
        return parts(text, fits)

    def _room(self, prompt: str, draft: type[BaseModel]) -> int:
        """Tokens left for a text: a correction needs room for the reply that it corrects and for a new one."""
        taken = tokens(PROMPTS[prompt] + PROMPTS[f"{prompt}_request"]) + tokens(str(schema_of(draft)))
        taken += tokens(PROMPTS["correction"]) * MAX_PROBLEMS
        return self.options.context_tokens - 2 * self.options.reply_tokens - taken

    def _scene(self, case: Case, drafts: Sequence[CaseDraft]) -> CaseScene:
        # The age in the text's own words: in other units its number would be a new one.
        age = next(draft.age.quote for draft in drafts if draft.age)
        facts = "\n".join(f"- {fact.name}: {fact.text}" for fact in case.facts)
        request = PROMPTS["scene_request"].format(person=f"{case.demographics.sex}, {age}", facts=facts)
        room = self._room("scene", SceneDraft)
        if tokens(request) > room:
            raise NotWritten("too_long", f"its facts have about {tokens(request):,} tokens, and {room:,} fit")
        draft = self._ask("scene", request, "scene", SceneDraft, check_scene)
        return CaseScene(case_id=case.id, turns=[Turn.model_validate(turn.model_dump()) for turn in draft.turns])

    def _ask(
        self, prompt: str, request: str, name: str, kind: type[DraftT], check: Callable[[DraftT, Source], list[str]]
    ) -> DraftT:
        """A draft that passes its check.

        Raises:
            NotWritten: none of the attempts passed, or the model refused.
        """
        asked = messages = [{"role": "system", "content": PROMPTS[prompt]}, {"role": "user", "content": request}]
        problems: list[str] = []
        for _ in range(self.options.attempts):
            reply, is_cached = self.endpoint.ask(asked, name, schema_of(kind), fresh=self.fresh)
            self.usage["replies_from_cache" if is_cached else "calls"] += 1
            if not is_cached:
                self.usage["prompt_tokens"] += reply.prompt_tokens
                self.usage["completion_tokens"] += reply.completion_tokens
            if reply.refusal:
                raise NotWritten("refused", f"the model refused: {reply.refusal}")
            draft, reason, problems = _read(reply, kind)
            if draft is not None:
                reason, problems = "mismatch", check(draft, self.source)
                if not problems:
                    return draft
            self.usage[f"rejected_{reason}"] += 1
            # Only the last reply is shown again, so that a conversation does not outgrow the context.
            corrected = PROMPTS["correction"].format(problems="\n".join(f"- {p}" for p in problems[:MAX_PROBLEMS]))
            correction = {"role": "user", "content": corrected}
            asked = [*messages, {"role": "assistant", "content": reply.text}, correction]
        tried = f"{name}: not accepted after {self.options.attempts} attempts"
        raise NotWritten("rejected", f"{tried}: {'; '.join(problems[:3])}")


def _read(reply: Completion, kind: type[DraftT]) -> tuple[DraftT | None, str, list[str]]:
    """The draft in a reply; if there is none, the reason and what the model is asked to correct."""
    if reply.finish_reason == "length":
        return None, "truncated", ["it was cut off because it was too long: use fewer words"]
    try:
        found = parse_json(reply.text.encode("utf-8", "surrogatepass"), "the reply")
    except BadInput as error:
        return None, "invalid_json", [str(error)]
    try:
        return kind.model_validate(found), "", []
    except ValidationError as error:
        return None, "schema", [explain(error)]


def _case(document: Document, drafts: Sequence[CaseDraft], licence: str) -> Case:
    """One case of the drafts of a text's parts: the first that says something about the patient counts."""
    age = next((draft.age for draft in drafts if draft.age), None)
    diagnosis = next((draft.diagnosis for draft in drafts if draft.diagnosis), None)
    sex = next((draft.sex for draft in drafts if draft.sex), None)
    sex = sex or sex_in(document.text) or sex_of_pronouns(document.text)
    if age is None or sex is None or diagnosis is None:
        missing = "age" if age is None else "sex" if sex is None else "diagnosis"
        raise NotWritten("incomplete", f"the text states no {missing}")
    facts = {(fact.kind, fact.text): fact for draft in drafts for fact in draft.facts}
    try:
        return Case(
            id=document.id,
            source=WRITER_SOURCE,
            licence=licence,
            specialty=next((draft.specialty for draft in drafts if draft.specialty), "unspecified"),
            demographics=Demographics(age_years=in_years(age.number, age.unit), sex=sex),
            facts=[_fact(index, fact) for index, fact in enumerate(facts.values(), start=1)],
            diagnosis=diagnosis,
            differential=[DifferentialDiagnosis(name=name) for draft in drafts for name in draft.differential],
            management=[step for draft in drafts for step in draft.management],
        )
    except ValidationError as error:
        raise NotWritten("incomplete", explain(error)) from None


def _fact(index: int, draft: FactDraft) -> Fact:
    hours = 0.0
    if draft.time is not None:
        hours = draft.time.number * HOURS[draft.time.unit] * (-1 if draft.time.direction == "before" else 1)
    fields = draft.model_dump(exclude={"time", "quote"})
    return Fact.model_validate({"id": f"{draft.kind}:{index}", "time_hours": hours, **fields})
