"""Bad files of a problem: one message, exit code not 0, nothing recorded, in seconds and little memory."""

import time
import tracemalloc

import pytest

from tests.sweep.commands import run, says

FILES = [
    ("empty", b"", "has no rows; give a line of column names"),
    ("names only", b"x,target\n", "has no rows; give a line of column names"),
    ("ragged", b"x,target\n1,0\n1,0,1\n", "line 3: 3 values; give 2, one for each column"),
    ("text", b"x,target\n1,yes\n", "line 2, column 'target': 'yes' is not a number; give one"),
    ("nan", b"x,target\n1,nan\n", "line 2, column 'target': 'nan'; give finite numbers only"),
    ("1e400", b"x,target\n1e400,1\n", "line 2, column 'x': '1e400'; give finite numbers only"),
    ("no target", b"x,y\n1,1\n", "target: .* has no column 'target'; give one of: x, y"),
    ("target alone", b"target\n1\n", "has only target; give at least one input column"),
    ("twice", b"x,x,target\n1,1,1\n", "has column 'x' twice; give each its own name"),
    ("no signal", b"x,target\n1,0\n", "problem: every target is 0"),
    ("latin-1", "größe,target\n1,1\n".encode("latin-1"), "is not UTF-8 text .*; save it as UTF-8"),
    ("utf-16", "x,target\n1,1\n".encode("utf-16"), "is not UTF-8 text .*; save it as UTF-8"),
    ("binary", bytes(range(256)), "path: "),
    ("NUL", b"x,target\n\0,1\n", "path: "),
]


@pytest.mark.parametrize(("content", "message"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_bad_file_gets_one_message_and_records_nothing(tmp_path, content, message):
    (tmp_path / "rows.csv").write_bytes(content)
    printed = run(tmp_path, "problem=csv", "problem.path=rows.csv", code=1)
    assert says(message, printed), printed
    assert "problem" in printed
    assert "Traceback" not in printed
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize(("words", "message"), [
    ([], "problem.path: missing; give it as problem.path=..."),
    (["problem.path=nowhere.csv"], "problem.path: 'nowhere.csv' is not a file; give a CSV file"),
    (["problem.path=."], "problem.path: '.' is not a file; give a CSV file"),
    (["problem.path=5"], "problem.path: 5; give the name of a CSV file"),
    (["problem.path=/dev/zero"], "problem.path: '/dev/zero' is not a file; give a CSV file"),
])  # fmt: skip
def test_a_path_that_names_no_file_is_answered(tmp_path, words, message):
    printed = run(tmp_path, "problem=csv", *words, code=1)
    assert says(message, printed), printed
    assert not list(tmp_path.iterdir())


def test_ten_million_columns_are_refused_within_seconds_and_little_memory(tmp_path):
    with (tmp_path / "wide.csv").open("w") as file:
        file.write(",".join(["c"] * 10_000_000) + "\n" + ",".join(["0"] * 10_000_000) + "\n")
    began = time.monotonic()
    tracemalloc.start()
    printed = run(tmp_path, "problem=csv", "problem.path=wide.csv", code=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert says("problem.path: 'wide.csv' has .* columns; give at most", printed), printed[:500]
    assert len(printed) < 500
    assert time.monotonic() - began < 5
    assert peak < 300e6
