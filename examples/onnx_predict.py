"""Predicts photos with a model that `pipeline export MODEL --out model.onnx` wrote, in ONNX Runtime.

    python onnx_predict.py model.onnx PHOTO_OR_FOLDER... > predictions.csv

Needs onnxruntime (which brings numpy) and Pillow, and neither PyTorch nor this project. Takes files with and without
`--with-preprocessing`. Photos that cannot be read are named on standard error, and the exit code is 1.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
BATCH = 16


def photos_in(paths):
    """The files, and those in folders, sorted, whose names end as photos' do."""
    for path in map(Path, paths):
        inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS)
        yield from inside if path.is_dir() else [path]


def upright(path):
    with Image.open(path) as file:
        return ImageOps.exif_transpose(file).convert("RGB")


def prepared(photo, how):
    """float32 `[3, S, S]`, as in training, to a level of 255."""
    size = how["size"]
    width, height = (max(side * size // min(photo.size), size) for side in photo.size)
    left, top = (-(-(side - size) // 2) for side in (width, height))
    photo = photo.resize((width, height), Image.BILINEAR).crop((left, top, left + size, top + size))
    values = (np.asarray(photo, np.float32) / 255 - np.float32(how["mean"])) / np.float32(how["std"])
    return values.transpose(2, 0, 1)


class Model:
    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        about = self.session.get_modelmeta().custom_metadata_map
        self.classes = json.loads(about["classes"])
        self.how = json.loads(about["preprocessing"])
        self.input = self.session.get_inputs()[0].name

    def probabilities(self, photos):
        """`[N, classes]` of N upright photos."""
        if self.input == "photos":  # It prepares them itself; those of a batch would have to be of one size.
            batches = [np.asarray(photo)[None] for photo in photos]
        else:
            batches = [np.stack([prepared(photo, self.how) for photo in photos])]
        return np.concatenate([self.session.run(["probabilities"], {self.input: batch})[0] for batch in batches])


def main():
    model = Model(sys.argv[1])
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["path", "class", "probability"])
    unread, batch = 0, []

    def finish():
        if batch:
            for (path, _), row in zip(batch, model.probabilities([photo for _, photo in batch])):
                out.writerow([path, model.classes[row.argmax()], f"{row.max():.6f}"])
            batch.clear()

    for path in photos_in(sys.argv[2:]):
        try:
            batch.append((path, upright(path)))
        except Exception as error:  # Pillow raises many kinds on damaged files.
            unread += 1
            print(f"{path}: cannot be read: {error}", file=sys.stderr)
        if len(batch) == BATCH:
            finish()
    finish()
    return 1 if unread else 0


if __name__ == "__main__":
    sys.exit(main())
