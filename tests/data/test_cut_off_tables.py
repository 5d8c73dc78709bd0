"""A text that was cut off is refused wherever a number may have been cut; one that only looks so is read."""

import pytest

from normbench.data.tables import read
from normbench.errors import DataError

pytestmark = pytest.mark.quick

HEADER = ["x", "y", "time", "note"]
ROWS = [[f"{0.25 * k}", f"{1.125 * k}", f"{k}", "ok"] for k in range(1, 13)]
NAMES = {"inputs": ["x"], "outputs": ["y"]}


def text(delimiter=",", end="\n", rows=ROWS):
    return end.join(delimiter.join(line) for line in (HEADER, *rows)) + end


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_wherever_the_last_line_breaks_off_within_its_fields_it_is_refused(delimiter, end, tmp_path):
    whole, path = text(delimiter, end), tmp_path / "t.csv"
    line = len(delimiter.join(ROWS[-1]) + end)
    fields = len(delimiter.join(ROWS[-1][:3]))
    for kept in range(1, fields + 1):
        path.write_bytes(whole[: len(whole) - line + kept].encode())
        with pytest.raises(DataError, match=r"t\.csv breaks off within its last line, which has [123] of 4 fields"):
            read([path], **NAMES)


@pytest.mark.parametrize(
    "content",
    [
        text(),
        text().rstrip(),
        text(rows=[row[:3] for row in ROWS]).rstrip(),
        text() + "  ",
        text(rows=[*ROWS[:-1], [*ROWS[-1][:3], '"of two\nlines"']]).rstrip(),
    ],
    ids=["whole", "no last line break", "all rows are short", "blanks behind", "a line break in quotes"],
)
def test_what_only_looks_so_is_read(content, tmp_path):
    (tmp_path / "t.csv").write_text(content)
    assert read([tmp_path / "t.csv"], **NAMES).outputs[-1].tolist() == [13.5]
