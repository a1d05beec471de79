#!/usr/bin/env python3
"""Makes the fixtures beside it with OpenCV, Pillow and torchvision, or checks that these still agree with them.

    python make_fixtures.py            writes fixtures.bin
    python make_fixtures.py --check    computes them again and compares; exit code 1 when one differs

Made with opencv-python-headless 5.0, Pillow 13.0, torch 2.13.0, torchvision 0.28.0 and NumPy 2.4.

The photo is a formula of (x, y, channel), the same here and in ../geometry.rs, of WIDTH x HEIGHT pixels. fixtures.bin
holds the views one after another, in the order of CASES, each SIDE x SIDE x 3 levels, u8, rows first.
"""

import argparse
import math
import pathlib
import sys

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

WIDTH, HEIGHT, SIDE = 67, 48, 48
FIXTURES = pathlib.Path(__file__).with_name("fixtures.bin")


def photo(width=WIDTH, height=HEIGHT):
    y, x, c = np.mgrid[:height, :width, :3]
    wave = np.abs((3 * x + 2 * y + 11 * c) % 64 - 32) * 5
    board = ((x // 9 + y // 7 + c) % 2) * 60
    return (wave + board).astype(np.uint8)


def crop(image, u, v):
    """The SIDE x SIDE square at floor(share of the room), as fast.ai's RandomCrop."""
    left = math.floor(u * (image.shape[1] - SIDE))
    top = math.floor(v * (image.shape[0] - SIDE))
    return image[top : top + SIDE, left : left + SIDE]


def rotated(image, deg):
    """OpenCV's affine warp about the true centre: bilinear, BORDER_REFLECT, as fast.ai's rotate_cv."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), deg, 1)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def scaled(image, factor):
    """fast.ai's scale_min, with Pillow's antialiased bilinear resize."""
    height, width = image.shape[:2]
    short = min(width, height)
    target = int(factor * SIDE)
    size = [max(side * target // short, target) for side in (width, height)]
    return np.asarray(Image.fromarray(image).resize(size, Image.BILINEAR))


def perspective(image, inwards):
    """Corners moved inwards by shares of half the side, OpenCV's warp on pixel centres."""
    height, width = image.shape[:2]
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    signs = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    moved = [
        (x + sx * dx * width / 2, y + sy * dy * height / 2)
        for (x, y), (sx, sy), (dx, dy) in zip(corners, signs, inwards)
    ]
    half = [np.float32(points) - 0.5 for points in (corners, moved)]
    matrix = cv2.getPerspectiveTransform(*half)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def lighting(image, brightness, contrast):
    """fast.ai's lighting on floats."""
    x = image.astype(np.float64) / 255
    mean = x.mean()
    return (np.clip((x - mean) * contrast + mean + brightness, 0, 1) * 255 + 0.5).astype(np.uint8)


def resized_crop(image, part):
    """torchvision's, of a part given in whole pixels: left, top, width, height."""
    left, top, width, height = part
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)
    out = F.resized_crop(tensor, top, left, height, width, [SIDE, SIDE], antialias=True)
    return out.permute(1, 2, 0).numpy()


def lesson(image):
    """The lesson's chain: scale, rotate, lighting, flip, crop."""
    image = lighting(rotated(scaled(image, 1.07), -6.5), 0.03, 1.04)
    return crop(image[:, ::-1], 0.3, 0.8)


CASES = {
    "rotate 9": lambda: crop(rotated(photo(), 9), 0.5, 0.5),
    "rotate -35": lambda: crop(rotated(photo(), -35), 0.25, 0.5),
    "scale 1.1": lambda: crop(scaled(photo(), 1.1), 0.7, 0.9),
    "shrink": lambda: crop(scaled(photo(151, 101), 1.0), 0.7, 0.0),
    "perspective": lambda: crop(
        perspective(photo(), [(0.1, 0.05), (0.15, 0.2), (0.02, 0.1), (0.2, 0.12)]), 0.4, 0.0
    ),
    "resized crop": lambda: resized_crop(photo(), (11, 5, 40, 31)),
    "lesson": lambda: lesson(photo()),
    "lesson, shrinking": lambda: lesson(photo(121, 97)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    views = [np.ascontiguousarray(make()) for make in CASES.values()]
    assert all(view.shape == (SIDE, SIDE, 3) and view.dtype == np.uint8 for view in views)
    found = b"".join(view.tobytes() for view in views)
    if not check:
        FIXTURES.write_bytes(found)
        return
    kept = FIXTURES.read_bytes()
    off = np.abs(np.frombuffer(found, np.uint8).astype(int) - np.frombuffer(kept, np.uint8))
    print(f"largest difference: {off.max()} of 255")
    sys.exit(int(off.max() > 1))


if __name__ == "__main__":
    main()
