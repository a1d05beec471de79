#!/usr/bin/env python3
"""Makes the fixtures beside it with torchvision, or checks that torchvision still agrees with them.

    python make_fixtures.py            writes blur.f32 and erasing.csv
    python make_fixtures.py --check    computes them again and compares; exit code 1 when one differs

Made with torch 2.13.0 and torchvision 0.28.0 on a CPU. Needs these and numpy.

blur.f32: little-endian f32, [3, H, W] for each of CASES in turn, the Gaussian blur (computed in f64) of

    value(x, y, channel) = ((37 x + 91 y + 53 channel + (channel + 3) x y) mod 256) / 255

erasing.csv: the areas and shapes that RandomErasing draws for a view of 224 pixels, and the rectangles it makes of
them; `-` where it draws again. Its ratio is height / width, the table's width / height.
"""

import argparse
import math
import pathlib
import sys

import numpy as np
import torch
import torchvision
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import gaussian_blur

HERE = pathlib.Path(__file__).parent
# Width, height, sigma in pixels; the same in blur.rs.
CASES = [(31, 22, 0.1), (31, 22, 0.7), (31, 22, 1.0), (31, 22, 2.0), (31, 22, 4.5), (7, 5, 3.0)]
SIZE = 224


def picture(width, height):
    c, y, x = np.indices((3, height, width))
    return (((37 * x + 91 * y + 53 * c + (c + 3) * x * y) % 256) / 255).astype(np.float64)


def blurred(width, height, sigma):
    image, radius = picture(width, height), math.ceil(3 * sigma)
    if radius < min(width, height):
        return gaussian_blur(torch.from_numpy(image), 2 * radius + 1, sigma).numpy()
    # torchvision refuses a bell that is wider than the picture; numpy mirrors as often as it takes.
    padded = np.pad(image, [(0, 0), (radius, radius), (radius, radius)], mode="reflect")
    out = gaussian_blur(torch.from_numpy(padded), 2 * radius + 1, sigma).numpy()
    return out[:, radius:-radius, radius:-radius]


def erasing():
    drawn = []
    plain = torch.Tensor.uniform_

    def uniform(self, low, high):
        value = plain(self, low, high)
        drawn.append(value.item())
        return value

    torch.manual_seed(1)
    transform = v2.RandomErasing(scale=(0.02, 0.8), ratio=(0.3, 3.3333))  # larger than usual, for some not to fit
    lines = ["area,ratio,width_pixels,height_pixels"]
    torch.Tensor.uniform_ = uniform
    try:
        for _ in range(60):
            drawn.clear()
            params = transform.make_params([torch.zeros(3, SIZE, SIZE)])
            sides = [("-", "-")] * (len(drawn) // 2 - 1) + [(params["w"], params["h"])]
            assert params["v"] is not None  # it never gave up
            for area, ratio, (width, height) in zip(drawn[::2], drawn[1::2], sides, strict=True):
                lines.append(f"{area:.9g},{1 / math.exp(ratio):.9g},{width},{height}")
    finally:
        torch.Tensor.uniform_ = plain
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    blur = np.concatenate([blurred(*case).ravel() for case in CASES]).astype("<f4")
    table = erasing()
    if not check:
        blur.tofile(HERE / "blur.f32")
        (HERE / "erasing.csv").write_text(table)
        return 0
    kept = np.fromfile(HERE / "blur.f32", "<f4")
    error = np.abs(kept - blur).max() if kept.shape == blur.shape else math.inf
    same_table = (HERE / "erasing.csv").read_text() == table
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}: "
          f"blur off by {error:.1e}, erasing.csv {'the same' if same_table else 'differs'}")
    return 0 if error < 1e-6 and same_table else 1


if __name__ == "__main__":
    sys.exit(main())
