"""The one reader of what nobody vouches for: JSON, JSON lines, YAML and CSV from somewhere else, or damaged since.

Whatever a file holds, a caller gets a checked value or one sentence (`BadInput`) with file, place, what was found and
what is allowed: never another exception, never a wait without end. Only regular files are opened. UTF-8 is required,
and a byte order mark at a file's beginning is passed over. Size and nesting are limited, numbers are finite and fit
64 bits, keys and columns occur once.
"""

from bsft.records.untrusted.files import (
    MAX_LINE_BYTES,
    Missing,
    file_sha256,
    open_regular,
    read_lines,
    read_text,
)
from bsft.records.untrusted.json_values import parse_json, parse_record, read_json, read_record
from bsft.records.untrusted.tables import Table, read_table
from bsft.records.untrusted.yaml_values import check_structure, read_yaml
