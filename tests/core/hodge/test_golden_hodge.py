"""Complex, solver and projection of the original (hodge_*.json)."""

import numpy as np
import pytest

from flockcore.hodge.complex import Complex
from flockcore.hodge.errors import DimensionMismatchError
from flockcore.hodge.operators import curl, divergence
from flockcore.hodge.projection import Projector
from flockcore.hodge.solver import SolverOptions, conjugate_gradients
from golden import cases
from hodge_twin import DenseMatrix, dense_d0, dense_d1

CLOSE = 1e-7


def replay(ops):
    """Apply the recorded calls; like the original, keep the first of what comes again."""
    names, masses, edges, states = {}, [], [], []
    complex_ = Complex.flag([], vertices=0)

    def vertex(name, mass):
        nonlocal complex_
        if name not in names:
            names[name] = len(names)
            masses.append(mass)
            complex_ = complex_.add_vertices(mass=mass)
        return names[name]

    for name, *arguments in ops:
        if name == "add_vertex":
            vertex(*arguments)
        else:
            pair = [vertex(arguments[0], 0.0), vertex(arguments[1], 0.0)]
            before = complex_.edge_count
            complex_ = complex_.add_edges([pair], present="keep").complex
            edges += [pair] * (complex_.edge_count - before)
            states += [arguments[2]] * (complex_.edge_count - before)
    return complex_, list(names), edges, states


@pytest.mark.parametrize("case", cases("shivya/hodge_complex"))
def test_complex(case):
    data = case.data
    complex_, names, edges, states = replay(data["ops"])
    assert names == data["vertices"]
    assert complex_.mass.tolist() == data["vertex_states"]
    assert complex_.edges.tolist() == edges == data["edges"]
    assert states == data["edge_states"]
    assert complex_.triangles.tolist() == data["triangles"]
    d0, d1 = dense_d0(complex_), dense_d1(complex_)
    assert d0.tolist() == data["d0"]
    assert d1.tolist() == data["d1"]
    assert (d1 @ d1.T).tolist() == data["l2"]
    rebuilt = Complex.flag(complex_.edges, vertices=complex_.vertex_count)
    assert rebuilt.triangles.tolist() == data["triangles"]


@pytest.mark.parametrize("case", cases("shivya/hodge_cg"))
def test_conjugate_gradients(case):
    data = case.data
    assert "W1" in case.options
    options = SolverOptions(
        tolerance=data["tol"], limit=data["max_iters"], guard=1e-14, relative=False
    )
    found = conjugate_gradients(
        DenseMatrix(data["a"]),
        np.array(data["b"], dtype=float),
        start=np.array(data["x0"], dtype=float),
        options=options,
    )
    np.testing.assert_allclose(found.x, data["x"], atol=CLOSE, rtol=0)
    assert found.residual == pytest.approx(data["true_residual"], abs=CLOSE)
    # The original counts the pass in which its guard gave up.
    gave_up = not found.converged and found.iterations < data["max_iters"]
    assert found.iterations + gave_up == data["iterations"]
    assert found.converged == (data["true_residual"] < data["tol"])


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("case", cases("shivya/hodge_project"))
def test_projection(case, prepared):
    data = case.data
    complex_ = Complex.given(data["edges"], data["triangles"], vertices=data["n_vertices"])
    projector = Projector(complex_)
    if prepared:
        projector.prepare()
    found = projector.project(data["flow"])
    assert found.converged
    np.testing.assert_allclose(found.flow, data["reconciled"], atol=CLOSE, rtol=0)
    assert found.curl_norm == pytest.approx(data["removed_l2"], abs=CLOSE)
    if "curl_in" in data:
        assert curl(complex_, np.array(data["flow"])).tolist() == pytest.approx(data["curl_in"])
        out = divergence(complex_, found.flow)
        np.testing.assert_allclose(out, data["node_divergence_out"], atol=CLOSE, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases("shivya/hodge_project_large"))
def test_large_projection(case):
    test_projection(case, prepared=False)
    test_projection(case, prepared=True)


@pytest.mark.parametrize("case", cases("shivya/hodge_errors"))
def test_errors(case):
    projector = Projector(Complex.flag([[0, 1], [1, 2], [0, 2]]))
    with pytest.raises(DimensionMismatchError) as caught:
        projector.project(case.data["flow"])
    assert str(caught.value) == case.data["error"]
    assert projector.project_or_keep(case.data["flow"]).tolist() == case.data["graceful_output"]
