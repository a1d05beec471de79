#!/usr/bin/env python3
"""Augmented views a second on one core: this project's beside torchvision's, in one run.

    python tests/bench/views.py

Needs torch, torchvision (made with 2.13.0 and 0.28.0), Pillow and NumPy, and a built test of crates/photo, which
it runs. Both make views of 224 x 224 pixels of a decoded photo of 500 x 375 with the lesson's `side_on` policy, normalised,
float32, channels first. torchvision's are what its documentation recommends, v2 transforms on uint8 tensors, and the same
on Pillow images; rotations are bilinear and, as torchvision has no mirrored border there, black outside.
"""

import pathlib
import random
import re
import subprocess
import time

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

VIEWS, SIZE, MAX_ZOOM = 400, 224, 1.1


class RandomScale(torch.nn.Module):
    """The shorter side becomes int(factor * SIZE), factor 1 to MAX_ZOOM, with probability .75."""

    def forward(self, image):
        factor = random.uniform(1, MAX_ZOOM) if random.random() < 0.75 else 1
        return v2.functional.resize(image, [int(factor * SIZE)], antialias=True)


def side_on(last):
    return v2.Compose([
        RandomScale(),
        v2.RandomApply([v2.RandomRotation(10, v2.InterpolationMode.BILINEAR)], 0.75),
        v2.ColorJitter(brightness=0.05, contrast=0.05),
        v2.RandomHorizontalFlip(),
        v2.RandomCrop(SIZE),
        *last,
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])  # fmt: skip


def views_a_second(transform, image):
    """The best of five rounds."""
    best = 0
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(VIEWS):
            assert transform(image).shape == (3, SIZE, SIZE)
        best = max(best, VIEWS / (time.perf_counter() - started))
    return best


def ours():
    root = pathlib.Path(__file__).parents[2]
    command = "cargo test --release -q -p pipeline-photo --test photo -- --ignored --nocapture speed_of_the_lessons"
    text = subprocess.run(command.split(), cwd=root, capture_output=True, text=True, check=True).stdout
    return {int(views): int(rate) for rate, views in re.findall(r"side_on: (\d+) views/s, (\d+) of each", text)}


def main():
    torch.set_num_threads(1)
    y, x = np.mgrid[:375, :500]
    photo = np.stack([x // 2, y // 2, x * y % 251], -1).astype(np.uint8)
    tensor = torch.from_numpy(photo).permute(2, 0, 1).contiguous()
    peers = {
        "uint8 tensors": views_a_second(side_on([]), tensor),
        "Pillow images": views_a_second(side_on([v2.ToImage()]), Image.fromarray(photo)),
    }
    for name, rate in peers.items():
        print(f"torchvision on {name}: {rate:.0f} views/s")
    fastest = max(peers.values())
    for views, rate in ours().items():
        print(f"here, {views} of each photo: {rate} views/s, {rate / fastest:.1f} times the faster of torchvision's")


if __name__ == "__main__":
    main()
