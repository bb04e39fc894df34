"""Problems are what they say, and a file that is no problem is turned away with a message that helps."""

import numpy as np
import pytest

from tinynet import Problem


def test_streetlights_are_the_tutorials_rows():
    problem = Problem.streetlights()
    assert problem.inputs.tolist() == [[1, 0, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]]
    assert problem.targets.tolist() == [1, 1, 0, 0]
    assert (problem.n_rows, problem.n_inputs) == (4, 3)


@pytest.mark.parametrize("n_bits", [1, 2, 3, 7])
def test_parity_flips_with_every_bit(n_bits):
    problem = Problem.parity(n_bits)
    target = {tuple(x): t for x, t in zip(problem.inputs, problem.targets, strict=True)}
    assert len(target) == problem.n_rows == 2**n_bits
    assert target[(0,) * n_bits] == 0
    for x, t in target.items():
        for bit in range(n_bits):
            assert target[(*x[:bit], 1 - x[bit], *x[bit + 1 :])] == 1 - t


def test_xor_is_one_where_its_two_bits_differ():
    problem = Problem.xor()
    assert problem.inputs.shape == (4, 2)
    assert ((problem.inputs[:, 0] != problem.inputs[:, 1]) == problem.targets).all()


def test_a_problem_keeps_its_own_read_only_copy():
    inputs = np.ones((2, 2))
    problem = Problem(inputs, [0, 1])
    inputs[:] = 5
    assert (problem.inputs == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        problem.inputs[0, 0] = 2


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        ([[1, 2], [3]], [0, 1], "inputs: not a table of numbers"),
        ([["a"]], [0], "inputs: not a table of numbers"),
        ([1, 2], [0, 1], r"inputs: the shape is \(2,\)"),
        ([], [], r"inputs: the shape is \(0,\)"),
        ([[]], [1], r"inputs: the shape is \(1, 0\)"),
        ([[1, np.nan]], [0], r"inputs: nan at \[0, 1\]"),
        ([[1.0]], [np.inf], r"targets: inf at \[0\]"),
        ([[1], [2]], [0], "targets: 1 values for 2 rows"),
        ([[1], [2]], [[0], [1]], "targets: the shape"),
    ],
)
def test_a_table_that_is_no_problem_is_refused(inputs, targets, message):
    with pytest.raises(ValueError, match=message):
        Problem(inputs, targets)


@pytest.mark.parametrize("n_bits", [0, -1, 17, 2.0, "3", True, None])
def test_parity_wants_a_small_number_of_bits(n_bits):
    with pytest.raises(ValueError, match=r"n_bits: .* give an integer from 1 to 16"):
        Problem.parity(n_bits)


def test_csv_inputs_are_all_columns_but_the_target(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'\xef\xbb\xbfleft, walk ,"right"\r\n1,0.5,-2e-3\r\n\r\n3,1,4\r\n')  # BOM, blank line
    problem = Problem.from_csv(path, target="walk")
    assert problem.inputs.tolist() == [[1, -0.002], [3, 4]]
    assert problem.targets.tolist() == [0.5, 1]
    assert (Problem.from_csv(str(path), "right").targets == [-0.002, 4]).all()
    assert (Problem.from_csv(path, "left").targets == [1, 3]).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no rows"),
        (b"a,t\n", "has no rows"),
        (b"a,t\n1,2\n3\n", "line 3: 1 values; give 2"),
        (b"a,t\n1,2,3\n", "line 2: 3 values; give 2"),
        (b"a,t\n1,x\n", "line 2, column 't': 'x' is not a number"),
        (b"a,t\n,1\n", "line 2, column 'a': '' is not a number"),
        (b"a,t\n1,nan\n", "line 2, column 't': 'nan'; give finite"),
        (b"a,t\n1e999,1\n", "column 'a': '1e999'; give finite"),
        (b"a,b\n1,2\n", "target: .* has no column 't'; give one of: a, b"),
        (b"a;t\n1;2\n", "no column 't'; its only one is 'a;t'; give a comma-separated file"),
        (b"a\tt\n1\t2\n", r"no column 't'; its only one is 'a\\tt'; give a comma-separated file"),
        (b"a,a,t\n1,2,3\n", "column 'a' twice"),
        (b"t\n1\n", "has only t; give at least one input"),
        ("größe,t\n1,2\n".encode("latin-1"), "is not UTF-8 text"),
        ("a,t\n1,2\n".encode("utf-16"), "is not UTF-8 text"),
        (b'a,t\n"1,2\n', "cannot be read as CSV"),
    ],
)
def test_a_file_that_is_no_problem_is_refused_with_its_place(tmp_path, content, message):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as refused:
        Problem.from_csv(path, "t")
    assert str(path) in str(refused.value)


def test_a_column_may_be_named_by_a_number(tmp_path):
    (tmp_path / "rows.csv").write_text("0,1\n5,6\n")
    problem = Problem.from_csv(tmp_path / "rows.csv", 1)
    assert (problem.inputs.tolist(), problem.targets.tolist()) == ([[5]], [6])


def test_a_path_that_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(ValueError, match="is not a file"):
            Problem.from_csv(path, "t")
