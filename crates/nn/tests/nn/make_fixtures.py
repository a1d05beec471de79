#!/usr/bin/env python3
"""Makes the fixtures beside it with PyTorch, or checks that PyTorch still agrees with them.

    python make_fixtures.py            writes fixtures/*.safetensors and fixtures/*.pth
    python make_fixtures.py --check    computes them again and compares; exit code 1 when one differs

Made with torch 2.13.0, torchvision 0.28.0 and scikit-learn 1.9.1 on a CPU. Needs these, numpy and safetensors.

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
from sklearn.decomposition import PCA
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


def classifiers():
    """Logits of whole networks, their averages by torchvision's own forward, or the published one, in eval mode."""
    x = 10 * formula("input", INPUT)
    whole = fill(torchvision.models.resnet18(weights=None)).eval()
    net, early, late, _ = lite0()
    net._fc = nn.Linear(1280, 1000)
    fill(net)
    with torch.no_grad():
        averages = F.adaptive_avg_pool2d(late.eval()(early.eval()(x)), 1).flatten(1)
        logits = {"resnet18": whole(x), "efficientnet_lite0": net._fc(averages)}
        out = {f"{arch}.logits": y.flatten()[::KEEP].clone() for arch, y in logits.items()}
        return out | {"efficientnet_lite0.averages": averages.flatten()[::KEEP].clone()}


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


LABELS = torch.tensor([2, 0, 1, 1, 0])


def head_masks(rows=ROWS, features=FEATURES):
    return mask("mask1", (rows, features), 0.25), mask("mask2", (rows, HIDDEN), 0.5)


def state(net):
    return {n: t.clone() for n, t in net.state_dict().items() if not n.endswith("tracked")}


def head():
    x = formula("features", (ROWS, FEATURES))
    masks = head_masks()
    out = {"eval.log_probs": fill(Head()).eval()(x).detach()}
    for run, decay in [("plain", 0.0), ("decay", 0.01)]:
        net = fill(Head()).train()
        sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=decay)
        for step in [1, 2, 3]:
            log_probs = net(x, masks)
            loss = F.nll_loss(log_probs, LABELS)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            if (run, step) == ("plain", 1):
                out["train.log_probs"], out["train.loss"] = log_probs.detach(), loss.detach()
                out |= {f"gradient.{n}": p.grad.clone() for n, p in net.named_parameters()}
            if (run, step) in [("plain", 1), ("plain", 3), ("decay", 3)]:
                out |= {f"{run}{step}.{n}": t for n, t in state(net).items()}
    return out


# More of the head's training: ten steps of a cosine, AdamW with two groups, clipped gradients


def training():
    x, masks, out = formula("features", (ROWS, FEATURES)), head_masks(), {}

    def steps(net, optimizer, rates):
        for rate in rates:
            for group, lr in zip(optimizer.param_groups, rate):
                group["lr"] = lr
            optimizer.zero_grad()
            F.nll_loss(net(x, masks), LABELS).backward()
            optimizer.step()

    # The recipe's cosine over one cycle of ten steps, as float32, so that both sides step with the same numbers.
    rates = torch.tensor([0.1 / 2 * (1 + math.cos(math.pi * i / 10)) for i in range(10)])
    net = fill(Head()).train()
    steps(net, torch.optim.SGD(net.parameters(), lr=1, momentum=0.9), [[r.item()] for r in rates])
    out |= {"cosine.rates": rates} | {f"cosine.{n}": t for n, t in state(net).items()}

    net = fill(Head()).train()
    groups = [{"params": [*a.parameters(), *b.parameters()], "weight_decay": decay}
              for a, b, decay in [(net.bn1, net.linear1, 0.5), (net.bn2, net.linear2, 0.0)]]
    steps(net, torch.optim.AdamW(groups), [[0.02, 0.005]] * 3)
    out |= {f"adamw.{n}": t for n, t in state(net).items()}

    net = fill(Head()).train()
    F.nll_loss(net(x, masks), LABELS).backward()
    out["clip.norm"] = nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    out |= {f"clip.{n}": p.grad.clone() for n, p in net.named_parameters()}
    return out


# Losses, with their gradients by the logits


def losses():
    out = {}
    weights, partner, share = torch.tensor([0.5, 2.0, 1.25]), torch.tensor([0, 0, 2, 1, 1]), 0.3
    for name, options in {
        "plain": {},
        "smoothed": {"label_smoothing": 0.1},
        "weighted": {"weight": weights},
        "both": {"label_smoothing": 0.1, "weight": weights},
    }.items():
        criterion = nn.CrossEntropyLoss(**options)
        for mixed in [False, True]:
            logits = (3 * formula("logits", (ROWS, CLASSES))).requires_grad_()
            loss = criterion(logits, LABELS)
            if mixed:
                loss = share * loss + (1 - share) * criterion(logits, partner)
            loss.backward()
            key = name + (".mixed" if mixed else "")
            out[f"{key}.loss"], out[f"{key}.gradient"] = loss.detach(), logits.grad
    return out


# One step of the whole network. Of each tensor its norm, its largest magnitude and SAMPLE numbers are kept, as a row of
# a table; the tensors are in the order of their names.

SAMPLE = 16
RATES = [1e-4, 1e-3, 1e-2]


def table(tensors):
    def row(tensor):
        flat = tensor.flatten()
        return torch.cat([torch.stack([flat.norm(), flat.abs().max()]), flat[[i * 7919 % len(flat) for i in range(SAMPLE)]]])

    return torch.stack([row(tensors[name]) for name in sorted(tensors)])


def fine_tuning():
    x, out = formula("input", (ROWS, *INPUT[1:])), {}
    for run, frozen in {"all": [], "early_frozen": [0], "trunk_frozen": [0, 1]}.items():
        trunk, early, late, _ = resnet("resnet18")
        features = 2 * 512
        head = Head()
        head.bn1, head.linear1 = nn.BatchNorm1d(features), nn.Linear(features, HIDDEN)
        parts = [early.train(), late.train(), fill(head).train()]
        for part in frozen:
            parts[part].eval().requires_grad_(False)
        sgd = torch.optim.SGD([{"params": p.parameters(), "lr": lr} for p, lr in zip(parts, RATES)], momentum=0.9)
        y = late(early(x))
        y = torch.cat([F.adaptive_max_pool2d(y, 1), F.adaptive_avg_pool2d(y, 1)], 1).flatten(1)
        loss = F.nll_loss(head(y, head_masks(ROWS, features)), LABELS)
        loss.backward()
        sgd.step()
        out[f"{run}.loss"] = loss.detach()
        for name, net in [("trunk", trunk), ("head", head)]:
            gradients = {n: p.grad for n, p in net.named_parameters() if p.grad is not None}
            if gradients:
                out[f"{run}.{name}.gradients"] = table(gradients)
            out[f"{run}.{name}.state"] = table(state(net))
    return out


# Grad-CAM of the last map, for a class of each of two views


def grad_cam():
    _, early, late, _ = resnet("resnet18")
    features = 2 * 512
    head = Head()
    head.bn1, head.linear1 = nn.BatchNorm1d(features), nn.Linear(features, HIDDEN)
    early.eval(), late.eval(), fill(head).eval()
    with torch.no_grad():
        y = late(early(10 * formula("input", (2, 3, 160, 160))))
    y.requires_grad_()
    x = torch.cat([F.adaptive_max_pool2d(y, 1), F.adaptive_avg_pool2d(y, 1)], 1).flatten(1)
    scores = head.linear2(head.bn2(F.relu(head.linear1(head.bn1(x)))))
    (gradient,) = torch.autograd.grad(scores[0, 2] + scores[1, 1], y)
    cam = F.relu((gradient.mean((2, 3), keepdim=True) * y).sum(1)).detach()
    return {"cam": cam / cam.amax((1, 2), keepdim=True)}


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


def similarity():
    """The nearest by cosine, and coordinates on two principal components whose largest weights are positive."""
    queries, rows = formula("queries", (300, 9)).double().numpy(), formula("rows", (2100, 9)).double().numpy()
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = unit(queries) @ unit(rows).T
    nearest = np.argsort(-cosines, axis=1)[:, :5]
    found = np.take_along_axis(cosines, nearest, 1)
    assert (found[:, :-1] - found[:, 1:]).min() > 1e-6, "too near to compare their order in float32"
    out = {"nearest": torch.tensor(nearest[:, :4]), "cosines": torch.tensor(found[:, :4]).float()}
    for name, count in {"plane": 61, "few": 3}.items():
        x = formula(name, (count, 17)).double().numpy() * np.linspace(3, 0.2, 17) + 5
        pca = PCA(2, svd_solver="full").fit(x)
        largest = np.take_along_axis(pca.components_, np.abs(pca.components_).argmax(1)[:, None], 1)
        out[name] = torch.tensor(pca.transform(x) * np.sign(largest[:, 0])).float()
        out[f"{name}.shares"] = torch.tensor(pca.explained_variance_ratio_)
    return out


def write(folder):
    trunks = {name: (lambda make=make: trunk(make)) for name, make in TRUNKS.items()}
    others = {"classifiers": classifiers, "head": head, "training": training, "losses": losses, "fine_tuning": fine_tuning,
              "grad_cam": grad_cam, "similarity": similarity}
    for name, make in (trunks | others).items():
        tensors = make()
        save_file({k: v.contiguous() for k, v in tensors.items()}, folder / f"{name}.safetensors")
    torch.save(checkpoint(), folder / "zip.pth")
    torch.save(checkpoint(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    tensors = checkpoint()["state_dict"]
    plain = {n.removeprefix("module."): t.detach().float().contiguous().clone() for n, t in tensors.items()}
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
