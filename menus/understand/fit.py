"""Fitting the small linear models of this package: L-BFGS in numpy, and the three losses they need."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Loss = Callable[[Array], tuple[float, Array]]


def minimise(loss: Loss, start: Array, rounds: int = 120, memory: int = 10, tolerance: float = 1e-6) -> Array:
    """The point where ``loss`` (value, gradient) is about least; ``loss`` is convex and smooth."""
    x = start.copy()
    value, slope = loss(x)
    moved: list[tuple[Array, Array, float]] = []
    for turn in range(rounds):
        direction = -_apply_inverse(slope, moved)
        downhill = float(direction @ slope)
        if downhill >= 0:
            moved.clear()
            direction, downhill = -slope, -float(slope @ slope)
        step = 1.0 if moved else min(1.0, 1.0 / (float(np.linalg.norm(slope)) + 1e-12))
        for _halving in range(30):
            new_x = x + step * direction
            new_value, new_slope = loss(new_x)
            if new_value <= value + 1e-4 * step * downhill:
                break
            step /= 2
        else:
            return x
        s, y = new_x - x, new_slope - slope
        curvature = float(s @ y)
        if curvature > 1e-12:
            moved.append((s, y, 1.0 / curvature))
            del moved[:-memory]
        # the first steps are short on purpose, so that a small gain there does not mean the end
        done = turn >= 5 and abs(value - new_value) <= tolerance * max(1.0, abs(value))
        x, value, slope = new_x, new_value, new_slope
        if done:
            break
    return x


def _apply_inverse(slope: Array, moved: list[tuple[Array, Array, float]]) -> Array:
    q = slope.copy()
    alphas: list[float] = []
    for s, y, rho in reversed(moved):
        alpha = rho * float(s @ q)
        alphas.append(alpha)
        q -= alpha * y
    if moved:
        s, y, _ = moved[-1]
        q *= float(s @ y) / float(y @ y)
    for (s, y, rho), alpha in zip(moved, reversed(alphas), strict=True):
        q += s * (alpha - rho * float(y @ q))
    return q


def fit_logistic(rows: Array, right: Array, ridge: float) -> tuple[Array, float]:
    """Weights and bias of P(right | row); the bias is not shrunk."""
    full = np.hstack([rows, np.ones((len(rows), 1))])

    def loss(w: Array) -> tuple[float, Array]:
        z = full @ w
        p = 1 / (1 + np.exp(-z))
        slope = full.T @ (p - right) / len(right)
        slope[:-1] += ridge * w[:-1]
        return float((np.logaddexp(0, z) - right * z).mean() + ridge * (w[:-1] @ w[:-1]) / 2), slope

    w = minimise(loss, np.zeros(full.shape[1]), rounds=500, tolerance=1e-9)
    return w[:-1], float(w[-1])


def fit_ranking(groups: list[tuple[Array, Array]], ridge: float) -> Array:
    """Weights that put the right rows of each group (rows, right 0/1) first: conditional logit."""
    kept = [(rows, right) for rows, right in groups if right.any()]
    width = max(len(rows) for rows, _ in kept)
    count = kept[0][0].shape[1]
    rows = np.zeros((len(kept), width, count))
    absent = np.full((len(kept), width), -1e9)
    right = np.zeros((len(kept), width))
    for i, (r, y) in enumerate(kept):
        rows[i, : len(r)], absent[i, : len(r)], right[i, : len(r)] = r, 0, y

    def loss(w: Array) -> tuple[float, Array]:
        z = rows @ w + absent
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        hit = (p * right).sum(axis=1) + 1e-12
        slope = -(((p * right) / hit[:, None] - p)[:, :, None] * rows).sum(axis=(0, 1)) / len(kept) + ridge * w
        return float(-np.log(hit).mean() + ridge * (w @ w) / 2), slope

    return minimise(loss, np.zeros(count), rounds=500, tolerance=1e-9)


def fit_softmax(rows: NDArray[np.float32], shares: Array, weight: Array, strength: float) -> NDArray[np.float32]:
    """Weights (columns of ``rows`` × classes) of P(class | row). ``shares`` sum to one a row; more ``strength``
    trusts the rows more and the prior less."""
    columns, classes = rows.shape[1], shares.shape[1]
    turned = np.ascontiguousarray(rows.T)
    wanted = shares.astype(np.float32)
    each = (weight * strength).astype(np.float32)[:, None]

    def loss(w: Array) -> tuple[float, Array]:
        matrix = w.astype(np.float32).reshape(columns, classes)
        z = rows @ matrix
        z -= z.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        slope = turned @ ((np.exp(log_p) - wanted) * each) + matrix
        return float(-(each * wanted * log_p).sum()) + float(w @ w) / 2, slope.ravel().astype(np.float64)

    found = minimise(loss, np.zeros(columns * classes), rounds=100, tolerance=1e-4)
    return found.reshape(columns, classes).astype(np.float32)
