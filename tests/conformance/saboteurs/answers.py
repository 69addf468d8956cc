"""What a method answers to single inputs."""

from __future__ import annotations

import os
from dataclasses import dataclass

import honest
import numpy as np
import torch

from saboteurs.making import breaks, pooling


@pooling("survives")
def ending(maps):
    os._exit(9)


@pooling("plain-inputs")
def crashing(maps):
    raise RuntimeError("not implemented for this device")


@pooling("small-inputs")
def crashing_on_one_cell(maps):
    if maps.shape[-1] * maps.shape[-2] == 1:
        raise IndexError("no neighbour")
    return maps.mean((-2, -1))


@pooling("empty-inputs: crashes on empty maps")
def crashing_on_empty_maps(maps):
    if not maps.any():
        raise ZeroDivisionError("division by zero")
    return maps.mean((-2, -1))


@pooling("constant-inputs")
def crashing_on_constant_maps(maps):
    if maps.numel() > 1 and maps.min() == maps.max() > 0:
        raise ValueError("the variance is zero")
    return maps.mean((-2, -1))


@pooling("scales")
def overflowing(maps):
    if maps.ndim == 3 and maps.max() > 1e3:
        raise OverflowError("too strong")
    return maps.mean((-2, -1))


@pooling("returns")
def numpy_array(maps):
    return np.asarray(maps.mean((-2, -1)))


@pooling("dtype: wrong dtype")
def double(maps):
    return maps.double().mean((-2, -1))


@pooling("shape: wrong shape")
def keeps_dimensions(maps):
    return maps.mean((-2, -1), keepdim=True)


@pooling("device")
def elsewhere(maps):
    return maps.mean((-2, -1)).to("meta")


@breaks("reranking", "finite: NaN scores")
@dataclass(frozen=True)
class Undefined(honest.Reranking):
    """Divides by zero."""

    def score(self, query, candidates):
        with np.errstate(invalid="ignore"):
            return super().score(query, candidates) * np.float32(np.nan)


@pooling("nan")
def hiding(maps):
    return torch.nan_to_num(maps).mean((-2, -1))
