"""Makes expected.json: what the data sets of the original Python code give on the tree of tree.ts for each of cases.json,
with the random numbers of DataRandom in place of its own.

    npx tsx tree.ts DIR && python make-expected.py LATENT-DIFFUSION TAMING-TRANSFORMERS DIR > expected.json

Needs numpy, torch, torchvision, opencv-python, Pillow, omegaconf, yaml and tqdm. albumentations 0.4.3 and what newer
versions of libraries lack are put back here; OpenCV runs without IPP, whose results depend on the processor.
"""
import contextlib
import importlib
import json
import os
import pathlib
import random
import sys
import types

import cv2
import numpy as np
import PIL.Image
import torch
import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from data_random import DataRandom  # noqa: E402

cv2.ipp.setUseIPP(False)


def module(name, **members):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(members)


# --- albumentations 0.4.3, as far as it is used
class Transform:
    def draw(self):
        return {}

    def __call__(self, targets=None, **data):
        drawn = self.draw()
        kinds = {"image": False, "mask": True, **{k: False for k in targets or {}}}
        return {k: self.apply(v, kinds[k], **drawn) if k in kinds else v for k, v in data.items()}


class SmallestMaxSize(Transform):
    def __init__(self, max_size, interpolation=cv2.INTER_LINEAR):
        self.size, self.interpolation = max_size, interpolation

    def apply(self, img, is_mask):
        scale = self.size / float(min(img.shape[:2]))
        height, width = (round(n * scale) for n in img.shape[:2])
        return resize(img, width, height, cv2.INTER_NEAREST if is_mask else self.interpolation)


class Resize(Transform):
    def __init__(self, height, width):
        self.height, self.width = height, width

    def apply(self, img, is_mask):
        return resize(img, self.width, self.height, cv2.INTER_NEAREST if is_mask else cv2.INTER_LINEAR)


def resize(img, width, height, interpolation):
    return img if img.shape[:2] == (height, width) else cv2.resize(img, (width, height), interpolation=interpolation)


class CenterCrop(Resize):
    def apply(self, img, is_mask):
        top, left = (img.shape[0] - self.height) // 2, (img.shape[1] - self.width) // 2
        return img[top:top + self.height, left:left + self.width]


class RandomCrop(Resize):
    def draw(self):
        return {"down": random.random(), "right": random.random()}

    def apply(self, img, is_mask, down, right):
        top, left = int((img.shape[0] - self.height) * down), int((img.shape[1] - self.width) * right)
        return img[top:top + self.height, left:left + self.width]


class Compose:
    def __init__(self, transforms, additional_targets=None):
        self.transforms, self.targets = transforms, additional_targets

    def __call__(self, **data):
        for transform in self.transforms:
            data = transform(self.targets, **data)
        return data


module("albumentations", SmallestMaxSize=SmallestMaxSize, Resize=Resize, CenterCrop=CenterCrop, RandomCrop=RandomCrop,
       HorizontalFlip=None, Compose=Compose)

# --- what newer libraries lack
module("skimage"), module("skimage.feature", canny=None), module("skimage.color", rgb2gray=None)
module("more_itertools"), module("more_itertools.recipes", grouper=lambda items, n: zip(*[iter(items)] * n))
module("torch._six", string_classes=str)
module("ldm.modules.image_degradation", degradation_fn_bsr=None, degradation_fn_bsr_light=None)
PIL.Image.LINEAR = PIL.Image.BILINEAR
load = yaml.load
yaml.load = lambda f: load(f, yaml.SafeLoader)
with contextlib.suppress(RuntimeError):
    library = torch.library.Library("torchvision", "DEF")
    for op in ("nms", "qnms"):
        library.define(op + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import torchvision.transforms.functional as TF  # noqa: E402

TF._get_image_size = TF.get_image_size

# --- DataRandom in place of every generator: one stream for the image, one for the order of objects and the caption
stream = order = None


def shuffle(items):
    for i in range(len(items) - 1, 0, -1):
        j = order.below(i + 1)
        items[i], items[j] = items[j], items[i]


random.random = lambda: stream.uniform()
random.randint = lambda a, b: a + stream.below(b - a + 1)
random.shuffle = shuffle
np.random.uniform = lambda a, b, size=None: a + (b - a) * stream.uniform()
np.random.randint = lambda a, b: a + order.below(b - a)
torch.rand = lambda *_: torch.tensor([stream.uniform()], dtype=torch.float64)
torch.randint = lambda low, high, size=None: torch.tensor([low + stream.below(high - low)])


def described(value):
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    if isinstance(value, np.ndarray) and value.ndim > 0:
        flat = value.astype(np.float64).ravel()
        places = [int(i) for i in np.linspace(0, flat.size - 1, 16)]
        return {"shape": value.shape, "sum": flat.sum(), "squares": (flat**2).sum(), "values": [flat[i] for i in places]}
    if isinstance(value, np.generic):
        return value.item()
    # The caption comes in a list.
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) else value


def prepare(root, reference):
    """What the reference would download."""
    os.environ["XDG_CACHE_HOME"] = "cache"
    for folder in (root / "cache/autoencoders/data").iterdir():
        (folder / ".ready").touch()
        (folder / "index_synset.yaml").write_text((reference / "data/index_synset.yaml").read_text())
        (folder / "imagenet1000_clsidx_to_labels.txt").write_text("\n".join(f"{i}:class {i}" for i in range(1000)))
        human = folder / "synset_human.txt"
        names = human.read_bytes().split(b"x ")[0]
        human.write_bytes(names + b"x " + b"x" * (2655750 - len(names) - 2))
    os.chdir(root)


def main(ldm, taming, root):
    global stream, order
    sys.path[:0] = [ldm, taming]
    prepare(pathlib.Path(root), pathlib.Path(ldm))
    expected = []
    for number, case in enumerate(json.loads((HERE / "cases.json").read_text())):
        path, name = case["target"].rsplit(".", 1)
        data = getattr(importlib.import_module(path), name)(**case["params"])
        if name.startswith("ImageNetSR"):
            # The image that it cuts for itself is not used.
            data.base.dataset.data.preprocessor = lambda **kwargs: kwargs
        samples = []
        for index in range(len(data)):
            stream = DataRandom(7, number, index)
            order = stream.child(1)
            if name.startswith("FacesHQ"):
                stream = order
            samples.append({k: described(v) for k, v in data[index].items()})
        expected.append(samples)
    return expected


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        expected = main(*(os.path.abspath(a) for a in sys.argv[1:4]))
    json.dump(expected, sys.stdout)
    print()
