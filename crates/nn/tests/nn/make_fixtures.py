#!/usr/bin/env python3
"""Makes the fixtures beside it with PyTorch, or checks that PyTorch still agrees with them.

    python make_fixtures.py            writes fixtures/*.safetensors and fixtures/*.pth
    python make_fixtures.py --check    computes them again and compares; exit code 1 when one differs

Made with torch 2.13.0 and torchvision 0.28.0 on a CPU. Needs these, numpy and safetensors.

Weights and inputs are a formula of (name, index), the same here and in formula.rs, so only outputs are kept:

    seed  = FNV-1a, 64 bits, of the name's UTF-8 bytes
    x     = splitmix64's output function of (seed + (index + 1) * 0x9E3779B97F4A7C15)
    u     = (x >> 40) / 2^24, in [0, 1);   v = 2 u - 1
    value = v * sqrt(3 / fan_in)   weights of two or more dimensions; fan_in = product of all but the first
            0.75 + 0.5 u           weights of one dimension (batch norm); a fifth of it in `.bn2` and `.bn3`, which
                                   end resnet's branches: else rounding alone grows to 1e-4 in train mode
            0.5 + u                running_var
            0.1 v                  running_mean and bias
            v                      anything else (inputs)

in float64, then rounded to float32. Of a trunk's outputs every fifth number of the flattened map is kept:
5 divides no side of it, so every channel, row and column is met. A trunk's input is ten times the formula, so
that ReLU6 clips.
"""

import argparse
import math
import pathlib
import sys
import tempfile
from collections import OrderedDict

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent / "fixtures"
KEEP = 5
INPUT = (2, 3, 64, 97)  # one side that halves evenly, one that never does


def formula(name, shape):
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) % 2**64
    count = math.prod(shape)
    with np.errstate(over="ignore"):
        x = np.uint64(seed) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    u = (x >> np.uint64(40)).astype(np.float64) / 2.0**24
    v = 2.0 * u - 1.0
    if name.endswith("weight") and len(shape) >= 2:
        value = v * math.sqrt(3.0 / math.prod(shape[1:]))
    elif name.endswith("weight"):
        value = (0.75 + 0.5 * u) * (0.2 if name.endswith((".bn2.weight", ".bn3.weight")) else 1.0)
    elif name.endswith("running_var"):
        value = 0.5 + u
    elif name.endswith(("running_mean", "bias")):
        value = 0.1 * v
    else:
        value = v
    return torch.from_numpy(value.astype(np.float32)).reshape(shape)


def fill(module):
    state = module.state_dict()
    module.load_state_dict({n: t if n.endswith("num_batches_tracked") else formula(n, tuple(t.shape)) for n, t in state.items()})
    return module


# Trunks: (module, its two layer groups, batch norms whose running statistics are kept)


def resnet(arch):
    net = torchvision.models.get_model(arch, weights=None)
    stem = nn.Sequential(OrderedDict((n, getattr(net, n)) for n in ["conv1", "bn1", "relu", "maxpool"]))
    del net.fc
    fill(net)
    early = nn.Sequential(stem, net.layer1, net.layer2)
    late = nn.Sequential(net.layer3, net.layer4)
    return net, early, late, ["bn1", "layer2.0.downsample.1", "layer4.1.bn2"]


class SameConv(nn.Conv2d):
    def forward(self, x):
        pads = []
        for n in (x.shape[3], x.shape[2]):
            k, s = self.kernel_size[0], self.stride[0]
            total = max((math.ceil(n / s) - 1) * s + k - n, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), self.weight, None, self.stride, 0, 1, self.groups)


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class LiteBlock(nn.Module):
    def __init__(self, i, o, k, s, e):
        super().__init__()
        if e != 1:
            self._expand_conv, self._bn0 = SameConv(i, i * e, 1, bias=False), norm(i * e)
        self._depthwise_conv = SameConv(i * e, i * e, k, s, groups=i * e, bias=False)
        self._bn1 = norm(i * e)
        self._project_conv, self._bn2 = SameConv(i * e, o, 1, bias=False), norm(o)
        self.expand, self.skip = e != 1, s == 1 and i == o

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expand else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skip else y


def lite0():
    net = nn.Module()
    net._conv_stem, net._bn0 = SameConv(3, 32, 3, 2, bias=False), norm(32)
    blocks, i = [], 32
    for k, s, e, o, repeats in [(3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
                                (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1)]:
        for r in range(repeats):
            blocks.append(LiteBlock(i, o, k, s if r == 0 else 1, e))
            i = o
    net._blocks = nn.ModuleList(blocks)
    net._conv_head, net._bn1 = SameConv(320, 1280, 1, bias=False), norm(1280)
    fill(net)
    early = nn.Sequential(net._conv_stem, net._bn0, nn.ReLU6(), *blocks[:5])
    late = nn.Sequential(*blocks[5:], net._conv_head, net._bn1, nn.ReLU6())
    return net, early, late, ["_bn0", "_blocks.6._bn1", "_bn1"]


TRUNKS = {a: (lambda a=a: resnet(a)) for a in ["resnet18", "resnet34", "resnet50", "resnet101"]}
TRUNKS["efficientnet_lite0"] = lite0


def trunk(make):
    out = {}
    x = 10 * formula("input", INPUT)
    with torch.no_grad():
        for mode, modes in {"eval": (False, False), "train": (True, True), "early_frozen": (False, True)}.items():
            net, early, late, norms = make()
            early.train(modes[0])
            late.train(modes[1])
            y = late(early(x))
            out[f"{mode}.shape"] = torch.tensor(y.shape)
            out[f"{mode}.output"] = y.flatten()[::KEEP].clone()
            if mode == "train":
                for name in norms:
                    for part in ["running_mean", "running_var"]:
                        out[f"{mode}.{name}.{part}"] = net.state_dict()[f"{name}.{part}"].clone()
    return out


# Head

FEATURES, HIDDEN, CLASSES, ROWS = 14, 9, 3, 5


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn1, self.linear1 = nn.BatchNorm1d(FEATURES), nn.Linear(FEATURES, HIDDEN)
        self.bn2, self.linear2 = nn.BatchNorm1d(HIDDEN), nn.Linear(HIDDEN, CLASSES)

    def forward(self, x, masks=(1, 1)):
        x = F.relu(self.linear1(self.bn1(x) * masks[0]))
        return F.log_softmax(self.linear2(self.bn2(x) * masks[1]), 1)


def mask(name, shape, share):
    u = (formula(name, shape).double() + 1) / 2
    return torch.where(u < share, 0.0, 1 / (1 - share)).float()


def head():
    x = formula("features", (ROWS, FEATURES))
    labels = torch.tensor([2, 0, 1, 1, 0])
    masks = mask("mask1", (ROWS, FEATURES), 0.25), mask("mask2", (ROWS, HIDDEN), 0.5)
    out = {"eval.log_probs": fill(Head()).eval()(x).detach()}
    for run, decay in [("plain", 0.0), ("decay", 0.01)]:
        net = fill(Head()).train()
        sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=decay)
        for step in [1, 2, 3]:
            log_probs = net(x, masks)
            loss = F.nll_loss(log_probs, labels)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            if (run, step) == ("plain", 1):
                out["train.log_probs"], out["train.loss"] = log_probs.detach(), loss.detach()
                out |= {f"gradient.{n}": p.grad.clone() for n, p in net.named_parameters()}
            if (run, step) in [("plain", 1), ("plain", 3), ("decay", 3)]:
                state = {n: t.clone() for n, t in net.state_dict().items() if not n.endswith("tracked")}
                out |= {f"{run}{step}.{n}": t for n, t in state.items()}
    return out


# Checkpoints in both formats: each kind of number, a view, a transposed view, a parameter, nested and prefixed.


def checkpoint():
    whole = formula("whole", (4, 6))
    state = OrderedDict([
        ("module.conv.weight", nn.Parameter(formula("conv.weight", (2, 3, 1, 2)))),
        ("module.rows", whole[1:3]),
        ("module.transposed", whole.t()),
        ("module.half", formula("half", (3,)).half()),
        ("module.bfloat16", formula("bfloat16", (3,)).bfloat16()),
        ("module.double", formula("double", (3,)).double()),
        ("module.empty", torch.zeros(0, 3)),
        ("module.bn.num_batches_tracked", torch.tensor(7)),
    ])
    return {"epoch": 3, "state_dict": state, "best": 0.5, "note": ["a", ("b", None, True)]}


def write(folder):
    for name, make in (TRUNKS | {"head": head}).items():
        tensors = make() if name == "head" else trunk(make)
        save_file({k: v.contiguous() for k, v in tensors.items()}, folder / f"{name}.safetensors")
    torch.save(checkpoint(), folder / "zip.pth")
    torch.save(checkpoint(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    state = checkpoint()["state_dict"]
    plain = {n.removeprefix("module."): t.detach().float().contiguous().clone() for n, t in state.items()}
    save_file(plain, folder / "checkpoint.safetensors")


def compare(folder):
    """Prints and counts what differs from the committed fixtures."""
    differences = 0
    for path in sorted(HERE.iterdir()):
        if path.suffix == ".pth":
            load = lambda p: dict(torch.load(p, weights_only=True)["state_dict"])
        else:
            load = load_file
        kept, made = load(path), load(folder / path.name)
        if kept.keys() != made.keys():
            print(f"{path.name}: other names")
            differences += 1
            continue
        for name in kept:
            a, b = kept[name].double(), made[name].double()
            error = 0.0 if a.numel() == 0 else ((a - b).abs().max() / a.abs().max().clamp(min=1e-12)).item()
            if a.shape != b.shape or not error < 1e-4:
                print(f"{path.name}: {name}: relative error {error:.2e}")
                differences += 1
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    if not check:
        HERE.mkdir(exist_ok=True)
        write(HERE)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        write(pathlib.Path(folder))
        differences = compare(pathlib.Path(folder))
    print(f"torch {torch.__version__}: {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
