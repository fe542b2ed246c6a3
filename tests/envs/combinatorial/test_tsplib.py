import math

import numpy as np
import pytest

from spelunk.envs.combinatorial import tsplib
from spelunk.envs.combinatorial.tsp import TSP
from spelunk.envs.kernel import InvalidArgumentError

BURMA14 = [
    (16.47, 96.10), (16.47, 94.44), (20.09, 92.54), (22.39, 93.37), (25.23, 97.24), (22.00, 96.05),
    (20.47, 97.02), (17.20, 96.29), (16.30, 97.38), (14.05, 98.12), (16.53, 97.38), (21.52, 95.59),
    (19.41, 97.13), (20.09, 94.55),
]  # fmt: skip
ULYSSES16 = [
    (38.24, 20.42), (39.57, 26.15), (40.56, 25.32), (36.26, 23.12), (33.48, 10.54), (37.56, 12.19),
    (38.42, 13.11), (37.52, 20.44), (41.23, 9.10), (41.17, 13.05), (36.08, -5.21), (38.47, 15.13),
    (38.15, 15.35), (37.51, 15.17), (35.49, 14.32), (39.36, 19.56),
]  # fmt: skip
ULYSSES16_TOUR = [1, 14, 13, 12, 7, 6, 15, 5, 11, 9, 10, 16, 3, 2, 4, 8]


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "instance.tsp"
        path.write_text(text)
        return str(path)

    return write


def planar(kind, points):
    lines = [f"{i} {x} {y}" for i, (x, y) in enumerate(points, 1)]
    return "\n".join(
        [
            "NAME: test",
            "TYPE : TSP",
            "COMMENT: made by hand",
            f"DIMENSION: {len(points)}",
            f"EDGE_WEIGHT_TYPE : {kind}",
            "NODE_COORD_SECTION",
            *lines,
            "EOF",
        ]
    )


def explicit(form, body, n=4, tail=""):
    return (
        f"TYPE: TSP\nDIMENSION: {n}\nEDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: {form}\n"
        f"EDGE_WEIGHT_SECTION\n{body}\n{tail}EOF\n"
    )


@pytest.mark.parametrize(
    ("points", "optimum"), [(BURMA14, 3323), (ULYSSES16, 6859)], ids=["burma14", "ulysses16"]
)
def test_known_optima(write, points, optimum):
    env = TSP(file=write(planar("GEO", points)))
    assert env.best_return(0) == -optimum


def test_known_optimal_tour_played_through_the_environment(write):
    env = TSP(file=write(planar("GEO", ULYSSES16)))
    env.reset(seed=0)
    rewards = [env.step(city - 1)[1] for city in ULYSSES16_TOUR[1:]]
    assert sum(rewards) == -6859


POINTS = [(0, 0), (1, 1), (2.5, 0), (10, 3)]


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("EUC_2D", lambda dx, dy: math.floor(math.hypot(dx, dy) + 0.5)),
        ("CEIL_2D", lambda dx, dy: math.ceil(math.hypot(dx, dy))),
        ("MAN_2D", lambda dx, dy: math.floor(abs(dx) + abs(dy) + 0.5)),
        ("MAX_2D", lambda dx, dy: max(math.floor(abs(dx) + 0.5), math.floor(abs(dy) + 0.5))),
    ],
)
def test_rounding(write, kind, rule):
    distances = tsplib.load(write(planar(kind, POINTS))).distances
    for i, (a, b) in enumerate(POINTS):
        for j, (c, d) in enumerate(POINTS):
            assert distances[i, j] == rule(a - c, b - d)


def test_pseudo_euclidean_distances_are_never_rounded_down(write):
    """√(dx² + dy²) / √10: 1.0 stays 1, 1.4 and 1.6 both become 2."""
    points = [(0, 0), (1, 3), (2, 4), (5, 0)]
    distances = tsplib.load(write(planar("ATT", points))).distances
    assert distances[0].tolist() == [0, 1, 2, 2]


def test_nodes_may_come_in_any_order(write):
    text = planar("EUC_2D", POINTS).replace("1 0 0\n2 1 1", "2 1e0 1.0\n1 0 0")
    np.testing.assert_array_equal(tsplib.load(write(text)).coordinates, POINTS)


MATRIX = np.array([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]])


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("FULL_MATRIX", "0 1 2 3\n1 0 4 5\n2 4 0 6\n3 5 6 0"),
        ("FULL_MATRIX", "0 1 2 3 1 0 4\n5 2 4 0 6 3 5 6 0"),
        ("UPPER_ROW", "1 2 3\n4 5\n6"),
        ("LOWER_ROW", "1\n2 4\n3 5 6"),
        ("UPPER_DIAG_ROW", "0 1 2 3\n0 4 5\n0 6\n0"),
        ("LOWER_DIAG_ROW", "0\n1 0\n2 4 0\n3 5 6 0"),
        ("UPPER_COL", "1\n2 4\n3 5 6"),
        ("LOWER_COL", "1 2 3\n4 5\n6"),
        ("UPPER_DIAG_COL", "0\n1 0\n2 4 0\n3 5 6 0"),
        ("LOWER_DIAG_COL", "0 1 2 3\n0 4 5\n0 6\n0"),
    ],
)
def test_matrix_formats(write, form, body):
    instance = tsplib.load(write(explicit(form, body)))
    np.testing.assert_array_equal(instance.distances, MATRIX)
    assert instance.coordinates is None


def test_display_coordinates_are_for_drawing_only(write):
    tail = "DISPLAY_DATA_SECTION\n1 0 0\n2 5 0\n3 5 5\n4 0 5\n"
    path = write(explicit("UPPER_ROW", "1 2 3\n4 5\n6", tail=tail))
    assert tsplib.load(path).display.tolist() == [[0, 0], [5, 0], [5, 5], [0, 5]]
    env = TSP(file=path, render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    assert observation["distances"].tolist() == [0, 1, 2, 3]
    assert env.render().ndim == 3


GOOD = planar("EUC_2D", POINTS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            GOOD.replace("TYPE : TSP", "TYPE: ATSP (asymmetric)"),
            r"line 2: TYPE is 'ATSP'; accepted are TSP",
        ),
        (GOOD.replace("N: 4", "N: four"), "line 4: DIMENSION is four; accepted is a number"),
        (GOOD.replace("N: 4", "N: 999999"), "line 4: DIMENSION is 999999"),
        (GOOD.replace("DIMENSION: 4\n", ""), "DIMENSION is missing"),
        (
            GOOD.replace("EUC_2D", "EUC_3D"),
            "line 5: EDGE_WEIGHT_TYPE is 'EUC_3D'; accepted are EUC",
        ),
        (GOOD.replace("EDGE_WEIGHT_TYPE : EUC_2D\n", ""), "EDGE_WEIGHT_TYPE is missing"),
        (GOOD.replace("3 2.5 0", "3 2.5 zero"), "line 9: 'zero' is not a finite number"),
        (GOOD.replace("3 2.5 0", "3 2.5 nan"), "line 9: 'nan' is not a finite number"),
        (GOOD.replace("3 2.5 0", "3 2.5"), "holds 11 numbers and must hold 12"),
        (GOOD.replace("3 2.5 0\n", ""), "line 9: NODE_COORD_SECTION holds 9 numbers"),
        (GOOD.replace("3 2.5 0", "2 2.5 0"), "line 9: node 2 is given twice"),
        (GOOD.replace("3 2.5 0", "7 2.5 0"), "line 9: node 7 is not a number from 1 to 4"),
        (GOOD.replace("NODE_COORD_SECTION", "TOUR_SECTION"), "line 6: 'TOUR_SECTION' is not"),
        (GOOD.split("NODE")[0], "NODE_COORD_SECTION is missing"),
        ("PK\x03\x04 not a TSPLIB file", "line 1: .* is not understood; accepted are NAME"),
        ("", "DIMENSION is missing"),
        (explicit("UPPER", "1"), "line 4: EDGE_WEIGHT_FORMAT is 'UPPER'; accepted are FULL"),
        (explicit("UPPER_ROW", "1 2 3\n4 5"), "line 7: EDGE_WEIGHT_SECTION holds 5 numbers and"),
        (explicit("UPPER_ROW", "1 2 3\n4 -5\n6"), "line 7: the distance -5 is negative"),
        (
            explicit("FULL_MATRIX", "0 1 2 3\n1 0 4 5\n2 4 0 6\n3 5 9 0"),
            "line 9: the distances from 4 to 3 and back differ",
        ),
    ],
)
def test_malformed_files_are_refused_in_one_line_that_says_where(write, text, problem):
    path = write(text)
    with pytest.raises(InvalidArgumentError, match=problem) as error:
        TSP(file=path)
    assert str(error.value).startswith(path)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match="cannot be read"):
        TSP(file=str(tmp_path / "missing.tsp"))
    binary = tmp_path / "binary.tsp"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InvalidArgumentError, match="cannot be read"):
        TSP(file=str(binary))
