"""Loads an exported file with examples/load_in_torchvision.py and compares its logits with what was computed here.

    python torchvision_model.py MODEL.safetensors CASES.json [MODEL.safetensors CASES.json ...]

CASES.json is as for onnx_runtime.py.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from load_in_torchvision import load  # noqa: E402


def check(path, cases):
    net, classes, _ = load(path)
    assert classes == cases["classes"], classes
    worst = 0.0
    for case in cases["cases"]:
        pixels = torch.from_numpy(np.fromfile(case["input"], np.float32)).reshape(case["shape"])
        expected = torch.from_numpy(np.fromfile(case["logits"], np.float32)).reshape(len(pixels), -1)
        with torch.inference_mode():
            found = net(pixels)
        assert float(expected.softmax(1).max()) < 0.999, expected.softmax(1)
        worst = max(worst, float((found.softmax(1) - expected.softmax(1)).abs().max()))
    print(f"{path.split('/')[-1]} probabilities {worst:.2e}")
    assert worst <= cases["tolerance"], worst


if __name__ == "__main__":
    for path, cases in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        with open(cases) as file:
            check(path, json.load(file))
