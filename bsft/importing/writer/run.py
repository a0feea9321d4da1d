"""All texts of a source: written up in parallel, resumable, with a progress bar and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from bsft.display.progress import progress_bar
from bsft.importing.files import CASES_FILE, reported_output, write_records
from bsft.importing.report import ImportReport
from bsft.importing.writer.documents import Document, read_documents
from bsft.importing.writer.findings import load_lexicon
from bsft.importing.writer.options import WriterOptions
from bsft.records.errors import BadInput
from bsft.records.store import check_replaceable

try:
    from bsft.importing.writer.endpoint import CompletionCache, Endpoint
    from bsft.importing.writer.pipeline import Written, write_up
except ImportError as error:
    raise BadInput(f"importing text needs the package {error.name}: pip install 'bsft[writer]'") from None

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
