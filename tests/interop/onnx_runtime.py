"""Checks an exported ONNX file and compares what ONNX Runtime computes with what was computed here.

    python onnx_runtime.py MODEL.onnx CASES.json [MODEL.onnx CASES.json ...]

CASES.json: {"input": its name, "classes": [...], "tolerance": ..., "feature_tolerance": ..., "cases": [{"input": file, "shape": [...], "logits": file,
"features": file, "pixels": file}]}; files hold numbers in order, little-endian: float32, and uint8 where the input is `photos`.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime


def log_softmax(logits):
    logits = logits - logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def check(path, cases):
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["classes"]) == cases["classes"], metadata["classes"]
    assert model.opset_import[0].version == 18, model.opset_import
    # What the network is given, beside what it answers.
    pixels = onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, None)
    if cases["input"] == "photos":
        model.graph.output.append(pixels)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == [cases["input"]], session.get_inputs()

    worst = {"probabilities": 0.0, "log_probabilities": 0.0, "pixels": 0.0, "features": 0.0}
    for case in cases["cases"]:
        kind = np.uint8 if cases["input"] == "photos" else np.float32
        given = np.fromfile(case["input"], kind).reshape(case["shape"])
        names = [output.name for output in session.get_outputs()]
        found = dict(zip(names, session.run(None, {cases["input"]: given})))
        expected = np.fromfile(case["logits"], np.float32).reshape(found["logits"].shape)
        features = np.fromfile(case["features"], np.float32).reshape(found["features"].shape)
        worst["features"] = max(worst["features"], np.abs(found["features"] - features).max() / np.abs(features).max())
        off = np.abs(log_softmax(found["logits"]) - log_softmax(expected)).max()
        worst["log_probabilities"] = max(worst["log_probabilities"], off)
        off = np.abs(found["probabilities"] - np.exp(log_softmax(expected))).max()
        worst["probabilities"] = max(worst["probabilities"], off)
        if "pixels" in found:
            expected = np.fromfile(case["pixels"], np.float32).reshape(found["pixels"].shape)
            worst["pixels"] = max(worst["pixels"], np.abs(found["pixels"] - expected).max())
        # Neither sure of one class, which would hide a difference, nor the same for all photos.
        assert found["probabilities"].max() < 0.999, found["probabilities"]
        assert len(given) < 2 or found["probabilities"].std(0).max() > 1e-3, found["probabilities"]
    print(path.split("/")[-1], " ".join(f"{name} {value:.2e}" for name, value in worst.items()))
    assert worst["probabilities"] <= cases["tolerance"], worst
    assert cases["input"] == "photos" or worst["features"] <= cases["feature_tolerance"], worst


if __name__ == "__main__":
    for path, cases in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        with open(cases) as file:
            check(path, json.load(file))
