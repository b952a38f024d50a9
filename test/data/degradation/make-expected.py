"""Makes expected.json, what the original Python code gives with the random numbers of DataRandom in place of its own.

    python make-expected.py REFERENCE > expected.json

REFERENCE is a checkout of CompVis/latent-diffusion. Needs numpy, scipy, opencv-python and torch. Parts that newer versions
of scipy lack are put back here; OpenCV runs without IPP, whose results depend on the processor.
"""
import base64
import json
import math
import pathlib
import sys
import types

import cv2
import numpy as np
import scipy
import scipy.interpolate
import scipy.ndimage

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from data_random import DataRandom  # noqa: E402


class Stream(DataRandom):
    """Also the draws of lib/data/degradation/draws.ts."""

    def normals(self, shape):
        values = []
        while len(values) < np.prod(shape):
            radius = math.sqrt(-2 * math.log(1 - self.uniform()))
            angle = 2 * math.pi * self.uniform()
            values += [radius * math.cos(angle), radius * math.sin(angle)]
        return np.array(values[: int(np.prod(shape))]).reshape(shape)


    def poisson(self, mean):
        if mean < 10:
            count, product = 0, self.uniform()
            while product > math.exp(-mean):
                count += 1
                product *= self.uniform()
            return count
        b = 0.931 + 2.53 * math.sqrt(mean)
        a = -0.059 + 0.02483 * b
        while True:
            u, v = self.uniform() - 0.5, self.uniform()
            margin = 0.5 - abs(u)
            k = math.floor((2 * a / margin + b) * u + mean + 0.43)
            if margin >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
                return k
            if k < 0 or (margin < 0.013 and v > margin):
                continue
            left = math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / margin**2 + b))
            if left <= -mean + k * math.log(mean) - math.lgamma(k + 1):
                return k


class PythonRandom:
    """In place of the module `random`."""

    def __init__(self, stream):
        self.stream = stream

    def random(self):
        return self.stream.uniform()

    def uniform(self, a, b):
        return a + (b - a) * self.stream.uniform()

    def randint(self, a, b):
        return a + self.stream.below(b - a + 1)

    def choice(self, values):
        return values[self.stream.below(len(values))]

    def sample(self, population, k):
        order = list(population)
        assert k == len(order)
        for i in range(k - 1, 0, -1):
            j = self.stream.below(i + 1)
            order[i], order[j] = order[j], order[i]
        return order


class NumpyRandom:
    """In place of `numpy.random`."""

    def __init__(self, stream):
        self.stream = stream

    def rand(self, *shape):
        if not shape:
            return self.stream.uniform()
        return np.array([self.stream.uniform() for _ in range(int(np.prod(shape)))]).reshape(shape)

    def normal(self, mean, deviation, shape):
        return mean + deviation * self.stream.normals(shape)

    def poisson(self, means):
        return np.array([self.stream.poisson(mean) for mean in means.ravel()]).reshape(means.shape)

    def multivariate_normal(self, mean, covariance, shape):
        # The symmetric one of the square roots, of which numpy takes another.
        values, vectors = np.linalg.eigh(covariance)
        root = (vectors * np.sqrt(np.abs(values))) @ vectors.T
        return mean + self.stream.normals((*shape, len(mean))) @ root


class Numpy:
    def __init__(self, stream):
        self.random = NumpyRandom(stream)

    def __getattr__(self, name):
        return getattr(np, name)


class Interp2d:
    def __init__(self, x, y, z):
        self.spline = scipy.interpolate.RectBivariateSpline(x, y, z.T, kx=1, ky=1)

    def __call__(self, x, y):
        return self.spline(x, y).T


def load_reference(folder):
    cv2.ipp.setUseIPP(False)
    scipy.interpolate.interp2d = Interp2d
    scipy.finfo = np.finfo
    scipy.ndimage.filters = types.SimpleNamespace(convolve=scipy.ndimage.convolve)
    for name in ("albumentations", "torchvision", "torchvision.utils"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchvision.utils"].make_grid = None
    sys.path.insert(0, folder)
    from ldm.modules.image_degradation import bsrgan, bsrgan_light, utils_image

    return {"bsrgan": bsrgan, "bsrgan_light": bsrgan_light}, utils_image


def picture(width, height):
    """The test's image: see picture() in pictures.ts."""
    x, y, c = np.meshgrid(np.arange(width), np.arange(height), np.arange(3))
    waves = (x * x + 2 * y * y + (c + 1) * x * y) // 24
    return ((waves * 5 + c * 40 + 60 * (x // 8 % 2)) % 256).astype(np.uint8)


def packed(array):
    array = np.ascontiguousarray(array)
    assert array.dtype in (np.uint8, np.float32)
    return {"shape": array.shape, "dtype": str(array.dtype), "data": base64.b64encode(array.tobytes()).decode()}


def main(folder):
    models, util = load_reference(folder)
    bsr = models["bsrgan"]
    expected = {"degradations": [], "kernels": [], "convolved": [], "imresize": [], "resized": []}

    for name, seed, scale, side in [
        *[("bsrgan", seed, 4, 48) for seed in (1, 2, 3, 4, 5, 6)],
        *[("bsrgan_light", seed, 4, 48) for seed in (7, 8, 9, 10)],
        ("bsrgan", 11, 2, 24), ("bsrgan", 12, 3, 36), ("bsrgan_light", 14, 8, 64),
    ]:
        stream = Stream(seed)
        models[name].random, models[name].np = PythonRandom(stream), Numpy(stream)
        image = models[name].degradation_bsrgan_variant(picture(side, side), sf=scale)["image"]
        expected["degradations"].append(
            {"name": name, "seed": seed, "scale": scale, "side": side, "image": packed(image), "next": stream.uint32()})
    for seed, scale, side in [(21, 4, 64), (22, 4, 64), (23, 2, 48), (24, 2, 48)]:
        stream = Stream(seed)
        bsr.random, bsr.np = PythonRandom(stream), Numpy(stream)
        whole = util.uint2single(picture(side, side))
        image, _ = bsr.degradation_bsrgan_plus(whole, sf=scale, lq_patchsize=side // scale)
        # The part that it cuts out at random is the whole here, but it draws twice for it.
        expected["degradations"].append(
            {"name": "bsrgan_plus", "seed": seed, "scale": scale, "side": side, "image": packed(util.single2uint(image)), "last": 2,
             "next": stream.uint32()})
    bsr.random, bsr.np = None, np

    single = lambda k: packed(k.astype(np.float32))
    for args in [(7, 0.3, 2.0, 5.0), (15, 2.1, 0.02, 7.0), (6, 0.7, 0.5, 1.5)]:
        kernel = bsr.anisotropic_Gaussian(*args)
        expected["kernels"].append({"kind": "anisotropic", "args": args, "weights": single(kernel)})
        image = util.uint2single(picture(13, 10))
        blurred = scipy.ndimage.convolve(image, kernel[:, :, None], mode="mirror")
        expected["convolved"].append({"kind": "anisotropic", "args": args, "size": [13, 10], "image": packed(blurred)})
    for args in [(7, 0.3), (25, 2.7), (6, 0.2)]:
        kernel = bsr.fspecial("gaussian", *args)
        expected["kernels"].append({"kind": "gaussian", "args": args, "weights": single(kernel)})
        image = util.uint2single(picture(9, 14))
        blurred = scipy.ndimage.convolve(image, kernel[:, :, None], mode="mirror")
        expected["convolved"].append({"kind": "gaussian", "args": args, "size": [9, 14], "image": packed(blurred)})
    for args in [(25, 0.3, 4), (25, 2.2, 2), (25, 1.7, 3)]:
        kernel = bsr.shift_pixel(bsr.fspecial("gaussian", *args[:2]), args[2])
        expected["kernels"].append({"kind": "shifted", "args": args, "weights": single(kernel / kernel.sum())})

    for width, height, scale in [(20, 14, 0.5), (21, 15, 0.5), (24, 16, 0.25), (6, 5, 2.0)]:
        image = util.imresize_np(util.uint2single(picture(width, height)), scale, True)
        expected["imresize"].append({"size": [width, height], "scale": scale, "image": packed(image)})

    interpolations = {"nearest": 0, "linear": 1, "cubic": 2, "area": 3, "lanczos4": 4}
    for width, height, to in [(16, 12, (8, 6)), (64, 12, (16, 4)), (17, 11, (10, 4)), (13, 9, (20, 5)), (7, 6, (12, 10))]:
        for name, code in interpolations.items():
            for image in (picture(width, height), util.uint2single(picture(width, height))):
                resized = cv2.resize(image, to, interpolation=code)
                expected["resized"].append({"size": [width, height], "to": to, "interpolation": name, "image": packed(resized)})
    json.dump(expected, sys.stdout, separators=(",", ":"))
    print()


main(sys.argv[1])
