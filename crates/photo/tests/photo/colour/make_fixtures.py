#!/usr/bin/env python3
"""Makes the fixtures beside it with torchvision, or checks that torchvision still agrees with them.

    python make_fixtures.py            writes colour.json
    python make_fixtures.py --check    computes it again and compares; exit code 1 when something differs

Made with torch 2.13.0 and torchvision 0.28.0 on a CPU. Needs these.

The input picture is a formula of (x, y, channel), the same here and in colour.rs. Of each output every fifth number
of the flattened [3, H, W] is kept, as a multiple of 1/65535: 5 divides no side, so every channel, row and column
is met.
"""

import argparse
import json
import pathlib
import sys

import torch
import torchvision
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import RandAugment, TrivialAugmentWide, functional as F

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 29, 23
KEEP = 5
SIDE = 64


def level(x, y, c):
    """8-bit level: neither 0 nor 255, so that stretching shows; grey on the diagonal, since greys have no hue."""
    c = 0 if x == y else c
    return 16 + (x * (5 + 3 * c) + y * (11 - 4 * c) + x * y * (c + 1)) % (200 + 10 * c)


def picture():
    levels = [[[level(x, y, c) for x in range(WIDTH)] for y in range(HEIGHT)] for c in range(3)]
    return torch.tensor(levels, dtype=torch.uint8)


def outputs():
    """What becomes of the picture: [function, parameter or null, values]. Floats, but posterize and equalize on levels."""
    levels = picture()
    image = levels.float() / 255
    cases = [("brightness", F.adjust_brightness, image, [0.0, 0.63, 1.4])]
    cases += [("contrast", F.adjust_contrast, image, [0.0, 0.4, 1.75])]
    cases += [("saturation", F.adjust_saturation, image, [0.0, 0.45, 1.9])]
    cases += [("hue", F.adjust_hue, image, [-0.5, -0.31, -0.02, 0.1, 0.27, 0.5])]
    cases += [("grayscale", lambda i: F.rgb_to_grayscale(i, 3), image, [None])]
    cases += [("solarize", F.solarize, image, [0.0, 0.3, 0.75, 1.0])]
    cases += [("posterize", F.posterize, levels, [1, 3, 6, 8])]
    cases += [("autocontrast", F.autocontrast, image, [None])]
    cases += [("equalize", F.equalize, levels, [None])]
    cases += [("sharpness", F.adjust_sharpness, image, [0.0, 0.5, 1.9])]
    rows = []
    for name, function, given, parameters in cases:
        for parameter in parameters:
            output = function(given) if parameter is None else function(given, parameter)
            output = output.double() / (1 if output.is_floating_point() else 255)
            rows.append([name, parameter, (output.flatten()[::KEEP] * 65535).round().int().tolist()])
    return rows


def geometry():
    """Where a pixel's value comes from: [operation, magnitude, x, y, from x, from y], in pixels, the first pixel's
    centre at (0.5, 0.5). Read off a picture whose channels are x and y. A translation is a share of the side."""
    coordinates = torch.arange(SIDE) + 0.5
    ramp = torch.stack(torch.meshgrid(coordinates, coordinates, indexing="xy"))
    rows = []
    for name, magnitude in [("ShearX", 0.2), ("ShearY", -0.15), ("TranslateX", 0.125), ("TranslateY", -0.25), ("Rotate", 20.0)]:
        pixels = magnitude * SIDE if name.startswith("Translate") else magnitude
        moved = RandAugment()._apply_image_or_video_transform(ramp, name, pixels, InterpolationMode.BILINEAR, {type(ramp): None})
        for x, y in [(21, 40), (38, 26)]:
            rows.append([name, magnitude, x + 0.5, y + 0.5, *(round(v, 4) for v in moved[:, y, x].tolist())])
    return rows


def magnitudes(transform, side):
    """[operation, whether it has a sign, magnitude at each of 31 levels]. Translations are divided by `side`."""
    rows = []
    for name, (values, signed) in transform._AUGMENTATION_SPACE.items():
        values = values(31, side, side)
        values = torch.zeros(31) if values is None else values.double()
        values = values / side if name.startswith("Translate") else values
        rows.append([name, signed, [round(v, 6) for v in values.tolist()]])
    return rows


def fixtures():
    return {
        "outputs": outputs(),
        "geometry": geometry(),
        "rand_augment": magnitudes(RandAugment(), 331),
        "trivial_augment": magnitudes(TrivialAugmentWide(), 224),
    }


def differences(kept, made, where):
    """How many numbers differ by more than rounding; each is printed."""
    if type(kept) is not type(made) or isinstance(kept, (list, dict)) and len(kept) != len(made):
        print(f"{where}: another shape")
        return 1
    if isinstance(kept, dict):
        return sum(differences(kept[key], made.get(key), f"{where}/{key}") for key in kept)
    if isinstance(kept, list):
        return sum(differences(a, b, f"{where}/{i}") for i, (a, b) in enumerate(zip(kept, made)))
    if isinstance(kept, bool) or not isinstance(kept, (int, float)):
        same = kept == made
    else:
        same = abs(kept - made) <= (1 if isinstance(kept, int) else 1e-3)
    if not same:
        print(f"{where}: kept {kept}, made {made}")
    return not same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    path, made = HERE / "colour.json", fixtures()
    if not parser.parse_args().check:
        row = lambda value: json.dumps(value, separators=(",", ":"))
        parts = [f'"{key}":[\n' + ",\n".join(map(row, rows)) + "\n]" for key, rows in made.items()]
        path.write_text("{" + ",\n".join(parts) + "}\n")
        return 0
    count = differences(json.loads(path.read_text()), made, path.name)
    print(f"torchvision {torchvision.__version__}: {count} differences")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
