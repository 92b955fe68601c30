"""Writes the solver fixtures: inputs and the answers of SciPy and statsmodels.

Run with numpy, scipy and statsmodels installed:  python3 generate.py
Columns are rounded to float32, which the solvers store; the answers are found from the rounded ones.
"""
import json
import pathlib

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy.optimize import linprog, minimize, nnls

HERE = pathlib.Path(__file__).parent
LEVELS = [0.5, 0.9, 0.95, 0.99]


def columns(random, n, p):
    x = np.column_stack([np.ones(n)] + [random.gamma(2.0, 1.0 + j, n) for j in range(p - 1)])
    return np.round(x, 2).astype(np.float32).astype(np.float64)


def write(name, **values):
    values["made_with"] = f"numpy {np.__version__}, scipy {scipy.__version__}, statsmodels {statsmodels.__version__}"
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}
    (HERE / f"{name}.json").write_text(json.dumps(plain) + "\n")


def quantile_program(x, y, level, non_negative):
    """The pinball loss as a linear program; exact."""
    n, p = x.shape
    cost = np.concatenate([np.zeros(p), np.full(n, level), np.full(n, 1 - level)])
    bounds = [(0 if flag else None, None) for flag in non_negative] + [(0, None)] * (2 * n)
    answer = linprog(cost, A_eq=np.hstack([x, np.eye(n), -np.eye(n)]), b_eq=y, bounds=bounds, method="highs")
    return answer.x[:p], answer.fun


def main():
    random = np.random.default_rng(20260101)
    n, p = 160, 4
    x = columns(random, n, p)
    truth = np.array([12.0, 3.0, 0.4, 0.0])
    centre = x @ truth
    y = np.round(centre * np.exp(0.3 * random.standard_normal(n)), 3)
    weights = np.round(random.uniform(0.2, 2.0, n), 3)

    ordinary, rest = np.linalg.lstsq(x, y, rcond=None)[:2]
    fitted = sm.WLS(y, x, weights=weights).fit()
    robust = sm.OLS(y, x).fit(cov_type="HC1")
    penalties = np.array([0.0, 5.0, 50.0, 500.0])
    priors = np.array([0.0, 2.0, 1.0, -0.5])
    ridge = np.linalg.solve(x.T @ x + np.diag(penalties), x.T @ y + penalties * priors)
    write("least_squares", x=x, y=y, weights=weights, ordinary=ordinary, residual_squares=float(rest[0]),
          ordinary_errors=robust.bse, weighted=fitted.params, penalties=penalties, priors=priors, ridge=ridge)

    spiked = y.copy()
    spiked[::9] *= 4

    def loss(beta, threshold=0.3):
        u = (spiked - x @ beta) / spiked
        size = np.abs(u)
        inside = size <= threshold
        value = np.where(inside, 0.5 * u * u, threshold * (size - 0.5 * threshold)).sum()
        slope = np.where(inside, u, threshold * np.sign(u))
        return value, -(x / spiked[:, None]).T @ slope

    def best(bounds):
        found = minimize(loss, truth, jac=True, bounds=bounds, method="L-BFGS-B",
                         options={"ftol": 1e-16, "gtol": 1e-12, "maxiter": 10000, "maxls": 100})
        for _ in range(20):  # restart: its line search stops short
            found = minimize(loss, found.x, jac=True, bounds=bounds, method="L-BFGS-B",
                             options={"ftol": 1e-17, "gtol": 1e-13, "maxiter": 10000, "maxls": 100})
        return found

    free = best([(None, None)] * p)
    free = minimize(loss, free.x, jac=True, method="BFGS", options={"gtol": 1e-12})
    bounded = best([(None, None)] + [(0, None)] * (p - 1))
    write("huber", x=x, y=spiked, threshold=0.3, free=free.x, free_objective=free.fun,
          bounded=bounded.x, bounded_objective=bounded.fun)

    quantiles = []
    for level in LEVELS:
        z, t = x / centre[:, None], y / centre
        program, value = quantile_program(z, t, level, [False] * p)
        sign, sign_value = quantile_program(z, t, level, [False, True, True, True])
        iterated = sm.QuantReg(t, z).fit(q=level, max_iter=5000, p_tol=1e-9).params
        u = t - z @ iterated
        quantiles.append({"level": level, "program": program.tolist(), "objective": value,
                          "non_negative": sign.tolist(), "non_negative_objective": sign_value,
                          "quantreg_objective": float(np.maximum(level * u, (level - 1) * u).sum())})
    write("quantile", x=x, y=y, scales=centre, levels=quantiles)

    mixed = np.column_stack([columns(random, 80, 6), random.standard_normal((80, 4)).round(3)])
    mixed = mixed.astype(np.float32).astype(np.float64)
    target = mixed @ np.array([1, 2, -3, 0.5, 0, -1, 1, -1, 0.2, 0]) + random.standard_normal(80).round(3)
    coefficients, norm = nnls(mixed, target)
    write("nnls", x=mixed, y=target, coefficients=coefficients, residual_norm=norm)

    vague = columns(random, 60, 4)
    third = (vague[:, 1] + vague[:, 2]).astype(np.float32).astype(np.float64)
    collinear = np.column_stack([vague, third])
    answer = vague @ np.array([1.0, 2, 3, 4]) + random.standard_normal(60)
    norms = np.linalg.norm(collinear, axis=0)
    minimum = np.linalg.lstsq(collinear / norms, answer, rcond=1e-7)[0] / norms
    near = np.column_stack([vague, (third + 1e-4 * random.standard_normal(60)).astype(np.float32).astype(float)])
    close = np.linalg.lstsq(near, answer, rcond=None)[0]
    write("collinear", x=collinear, y=answer, minimum_norm=minimum, near=near, near_answer=close,
          predictions=collinear @ minimum, near_predictions=near @ close)


if __name__ == "__main__":
    main()
