"""Predicts photos with a model that `pipeline export MODEL --out model.safetensors` wrote, in torchvision.

    python load_in_torchvision.py model.safetensors PHOTO...

Needs torch, torchvision, safetensors and Pillow.
"""

import json
import sys

import torch
import torchvision
from PIL import Image, ImageOps
from safetensors import safe_open
from torch import nn


class MaxAvgPool(nn.Module):
    """The maximum of each channel, then the average of each, over all places."""

    def forward(self, x):
        return torch.cat([x.amax((2, 3)), x.mean((2, 3))], 1)


def load(path):
    """The network in eval mode, from normalised `[N, 3, S, S]` to logits, and what the file says of it."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        about = file.metadata()
    features, hidden, classes = int(about["feature_dim"]), int(about["hidden"]), json.loads(about["classes"])
    net = torchvision.models.get_model(about["arch"])
    if about["pool"] == "max_avg":
        net.avgpool = MaxAvgPool()
    wide, narrow = nn.Linear(features, hidden), nn.Linear(hidden, len(classes))
    net.fc = nn.Sequential(
        nn.BatchNorm1d(features), nn.Dropout(0.25), wide, nn.ReLU(), nn.BatchNorm1d(hidden), nn.Dropout(0.5), narrow
    )
    net.load_state_dict(tensors)
    return net.eval(), classes, json.loads(about["preprocessing"])


def prepared(path, how):
    """The photo as the network wants it, `[3, S, S]`: as in training, to a level of 255."""
    photo, size = ImageOps.exif_transpose(Image.open(path)).convert("RGB"), how["size"]
    width, height = (max(side * size // min(photo.size), size) for side in photo.size)
    left, top = (-(-(side - size) // 2) for side in (width, height))
    photo = photo.resize((width, height), Image.BILINEAR).crop((left, top, left + size, top + size))
    values = torchvision.transforms.functional.to_tensor(photo)
    return torchvision.transforms.functional.normalize(values, how["mean"], how["std"])


def main():
    net, classes, how = load(sys.argv[1])
    for path in sys.argv[2:]:
        with torch.inference_mode():
            probabilities = net(prepared(path, how)[None]).softmax(1)[0]
        best = int(probabilities.argmax())
        print(f"{path}: {classes[best]} {probabilities[best]:.4f}")


if __name__ == "__main__":
    main()
