#!/usr/bin/env python3
"""Makes fixtures.json beside it with scikit-learn, SciPy, statsmodels and cleanlab, or checks that they still agree.

    python make_fixtures.py            writes fixtures.json
    python make_fixtures.py --check    measures the photos in fixtures.json again; exit code 1 when a number differs

Made with scikit-learn 1.9.1, scipy 1.17.1, statsmodels 0.15.0, cleanlab 2.9.0 and numpy 2.4.6; needs these.

The cases are awkward on purpose: `ties` has probabilities in steps of 1/16, so that scores are equal by the dozen; in
`sixes` class 1 has no photos and is never said, and class 4 has photos and is never said.
"""

import argparse
import json
import math
import pathlib
import sys
import warnings

import numpy as np
from cleanlab.filter import find_label_issues
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn import metrics
from statsmodels.stats.contingency_tables import mcnemar

FILE = pathlib.Path(__file__).parent / "fixtures.json"
BINS = 15
RESAMPLES = 1500


def photos(seed, rows, shares, sureness, steps=None, unsaid=()):
    """Labels of these shares, and softmax probabilities that lean towards them, as float32 holds them."""
    rng = np.random.default_rng(seed)
    classes = len(shares)
    labels = rng.choice(classes, rows, p=shares)
    logits = rng.normal(size=(rows, classes)) * 1.5 + sureness * np.eye(classes)[labels]
    logits[:, list(unsaid)] -= 5
    probs = softmax(logits, axis=1)
    if steps:  # one step for each class, the others by probability, what rounding leaves to any class
        counts = np.floor(probs * (steps - classes)) + 1
        counts[np.arange(rows), rng.integers(classes, size=rows)] += steps - counts.sum(1)
        probs = counts / steps
    probs = probs.astype(np.float32)
    losses = -np.log(probs[np.arange(rows), labels].astype(np.float64))
    return {"classes": classes, "labels": labels.tolist(), "probs": probs.astype(float).ravel().tolist(),
            "losses": losses.astype(np.float32).astype(float).tolist()}


def cases():
    return {
        "ties": photos(1, 60, [0.7, 0.2, 0.1], 1.5, steps=16),
        "pair": photos(2, 57, [0.35, 0.65], 1.0),
        "sixes": photos(3, 64, [0.3, 0.0, 0.25, 0.2, 0.15, 0.1], 1.5, unsaid=[1, 4]),
    }


def arrays(case):
    labels = np.array(case["labels"])
    return labels, np.array(case["probs"]).reshape(len(labels), -1), np.array(case["losses"])


def ece(labels, probs):
    """As github.com/gpleiss/temperature_scaling computes it; and the bins with photos."""
    confidence, right = probs.max(1), probs.argmax(1) == labels
    edges, error, bins = np.linspace(0, 1, BINS + 1), 0.0, []
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += abs(confidence[inside].mean() - right[inside].mean()) * inside.mean()
            bins.append([low, high, int(inside.sum()), confidence[inside].mean(), right[inside].mean()])
    return error, bins


def areas(labels, probs):
    """ROC AUC and average precision of each class against the rest, NaN where there is no rest or no class."""
    pairs = []
    for class_ in range(probs.shape[1]):
        own = labels == class_
        both = own.any() and not own.all()
        pairs.append([metrics.roc_auc_score(own, probs[:, class_]),
                      metrics.average_precision_score(own, probs[:, class_])] if both else [math.nan] * 2)
    return np.array(pairs)


def overall(labels, probs):
    """The measures that have an interval."""
    classes, predicted = probs.shape[1], probs.argmax(1)
    each = areas(labels, probs)
    roc_auc, average_precision = each[1] if classes == 2 else np.nanmean(each, 0)
    values = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "macro_f1": metrics.f1_score(labels, predicted, average="macro"),
        "cohen_kappa": metrics.cohen_kappa_score(labels, predicted),
        "roc_auc": roc_auc,
        "average_precision": average_precision,
        "ece": ece(labels, probs)[0],
        "log_loss": metrics.log_loss(labels, probs, labels=range(classes)),
    }
    # Of equally likely classes scikit-learn takes the last, so both are turned around.
    for k in (2, 5):
        if classes > k:
            values[f"top_{k}"] = metrics.top_k_accuracy_score(
                classes - 1 - labels, probs[:, ::-1], k=k, labels=range(classes))
    return values


def temperature(labels, probs):
    """The best temperature and the mean loss at it."""
    logs = np.log(probs)
    best = minimize_scalar(lambda ln_t: losses_at(labels, logs, math.exp(ln_t)).mean(),
                           bounds=(-4, 4), method="bounded", options={"xatol": 1e-12})
    return math.exp(best.x), best.fun


def losses_at(labels, logs, temperature_):
    return -log_softmax(logs / temperature_, axis=1)[np.arange(len(labels)), labels]


def cross_fitted(labels, probs):
    """The loss of each photo at the temperature that is best on the half that it is not in."""
    losses = np.empty(len(labels))
    for half in (0, 1):
        other = temperature(labels[1 - half::2], probs[1 - half::2])[0]
        losses[half::2] = losses_at(labels[half::2], np.log(probs[half::2]), other)
    return losses


def measures(case):
    labels, probs, _ = arrays(case)
    classes, predicted = probs.shape[1], probs.argmax(1)
    values = overall(labels, probs)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(classes), zero_division=np.nan)
    each = areas(labels, probs)
    values["per_class"] = [
        {"support": int(support[c]), "predicted": int((predicted == c).sum()), "precision": precision[c],
         "recall": recall[c], "f1": f1[c], "roc_auc": each[c, 0], "average_precision": each[c, 1]}
        for c in range(classes)]
    values["bins"] = ece(labels, probs)[1]

    best, loss = temperature(labels, probs)
    values["temperature"] = best
    values["log_loss_at_temperature"] = loss
    values["ece_at_temperature"] = ece(labels, softmax(np.log(probs) / best, axis=1))[0]
    values["log_loss_cross_fitted"] = cross_fitted(labels, probs).mean()
    return values


def intervals(case):
    """95 % percentile intervals of a bootstrap with numpy's random numbers."""
    labels, probs, _ = arrays(case)
    losses, rng, found = cross_fitted(labels, probs), np.random.default_rng(7), {}
    for _ in range(RESAMPLES):
        rows = rng.integers(len(labels), size=len(labels))
        values = overall(labels[rows], probs[rows])
        values["temperature"] = temperature(labels[rows], probs[rows])[0]
        values["log_loss_cross_fitted"] = losses[rows].mean()
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: np.nanpercentile(values, [2.5, 97.5]).tolist() for name, values in found.items()}


def curves(case):
    labels, probs, _ = arrays(case)
    every = []
    for class_ in range(probs.shape[1]):
        own = labels == class_
        if own.all() or not own.any():
            every.append({"roc": [], "precision_recall": []})
            continue
        roc = metrics.roc_curve(own, probs[:, class_], drop_intermediate=False)[:2]
        precision, recall, _ = metrics.precision_recall_curve(own, probs[:, class_])
        every.append({"roc": np.transpose(roc).tolist(),
                      "precision_recall": np.transpose([recall, precision])[::-1].tolist()})
    return every


def label_issues(case):
    """Rows in cleanlab's order, those of equal self-confidence by row (cleanlab leaves their order to a sort)."""
    labels, probs, _ = arrays(case)
    rows = find_label_issues(labels, probs, filter_by="confident_learning", return_indices_ranked_by="self_confidence",
                             n_jobs=1)
    return sorted(rows.tolist(), key=lambda row: (probs[row, labels[row]], row))


PAIRS = [(0, 0), (3, 3), (0, 1), (5, 12), (12, 5), (1, 30), (40, 61), (1000, 1101), (500_000, 501_500),
         (1_000_000, 1_000_000), (1_000_000, 996_000), (999, 1_000_000)]


def p_values():
    return [[b, c, float(mcnemar([[0, b], [c, 0]], exact=True).pvalue)] for b, c in PAIRS]


def expected(inputs):
    return {
        "p_values": p_values(),
        "cases": {name: {"input": case, "measures": measures(case), "intervals": intervals(case),
                         "curves": curves(case), "label_issues": label_issues(case)}
                  for name, case in inputs.items()},
    }


def plain(value):
    """NaN as null, and numpy's numbers as Python's."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else float(value)
    return value


def differences(kept, made, path="", tolerance=1e-6):
    """Where both differ by more than `tolerance`, or at all where that is not a number."""
    if isinstance(kept, dict) and isinstance(made, dict) and kept.keys() == made.keys():
        for key in kept:
            yield from differences(kept[key], made[key], f"{path}.{key}", 0.02 if key == "intervals" else tolerance)
    elif isinstance(kept, list) and isinstance(made, list) and len(kept) == len(made):
        for index, pair in enumerate(zip(kept, made)):
            yield from differences(*pair, f"{path}[{index}]", tolerance)
    elif isinstance(kept, float) and isinstance(made, float):
        if abs(kept - made) > tolerance:
            yield f"{path}: {kept} is kept, {made} was computed"
    elif kept != made:
        yield f"{path}: {kept} is kept, {made} was computed"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    warnings.simplefilter("ignore")  # of resamples without a class
    if not check:
        FILE.write_text(json.dumps(plain(expected(cases()))) + "\n")
        return 0
    kept = json.loads(FILE.read_text())
    # The kept photos, since numpy's generator may change from version to version.
    made = plain(expected({name: case["input"] for name, case in kept["cases"].items()}))
    found = list(differences(kept, made))
    print("\n".join([*found, f"{len(found)} differences"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
