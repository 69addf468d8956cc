"""Poolings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import honest
import torch

from saboteurs.making import breaks, pooling


@pooling("batch")
def centring(maps):
    found = maps.mean((-2, -1))
    return found - found.mean(dim=0) if maps.ndim > 3 and len(maps) > 1 else found


@pooling("constant")
def ignoring(maps):
    return torch.ones(maps.shape[:-2])


@pooling("same-dimension")
def flattening(maps):
    return maps.flatten(-3)


@pooling("non-contiguous")
def viewing(maps):
    return maps.view(*maps.shape[:-2], -1).mean(-1)


@breaks("pooling", "fit")
@dataclass(frozen=True)
class Draining(honest.Looking):
    """Clears the maps that it has learnt from."""

    def fit(self, maps):
        maps = list(maps)
        found = super().fit(maps)
        for image in maps:
            image.zero_()
        return found


@breaks("pooling", "learns", check={"learns": False})
@dataclass(frozen=True)
class Denying(honest.Looking):
    """Learns whatever it says."""

    def fit(self, maps):
        return honest.Looking().fit(maps)


class OtherQueries(honest.Looked):
    def pool_query(self, maps):
        return torch.cat([self.pool(maps)] * 2, dim=-1)


@breaks("pooling", "pool-query")
@dataclass(frozen=True)
class Unequal(honest.Looking):
    """Descriptors of queries are twice as long."""

    def fit(self, maps):
        return OtherQueries(super().fit(maps).means)


class OtherUncroppedQueries(honest.Looked):
    def pool_uncropped_query(self, maps):
        return torch.cat([self.pool(maps)] * 2, dim=-1)


@breaks("pooling", "pool-uncropped-query")
@dataclass(frozen=True)
class UnequalUncropped(honest.Looking):
    """Descriptors of queries without a box are twice as long."""

    def fit(self, maps):
        return OtherUncroppedQueries(super().fit(maps).means)


@breaks("pooling", "saliency")
@dataclass(frozen=True)
class Manifold(honest.Looking):
    """A map of saliency for each channel."""

    def saliency(self, maps):
        return maps


class OtherRegions(honest.Looked):
    def region_descriptors(self, maps):
        return torch.cat([self.pool(maps)[..., None, :]] * 2, dim=-1)


@breaks("pooling", "regions")
@dataclass(frozen=True)
class Longer(honest.Looking):
    """Descriptors of regions are twice as long."""

    def fit(self, maps):
        return OtherRegions(super().fit(maps).means)


@breaks("pooling", "detect")
@dataclass(frozen=True)
class Overhanging(honest.Looking):
    """A region that is larger than the map."""

    def rectangles(self, mixture, shape):
        return [(0, 0, shape[0] + 1, shape[1])]


@breaks("pooling", "first-pass")
@dataclass(frozen=True)
class Passing(honest.Looking):
    """Names its first pass."""

    first_pass: str = "fs-egm"


@breaks("pooling", "detection")
@dataclass(frozen=True)
class Pretending(honest.Looking):
    """Shows another detection than its own."""

    def detect(self, saliency):
        return [(0, 0, 1, 1)]


@breaks("pooling", "any-device")
@dataclass(frozen=True)
class SomeDevice(honest.Pooling):
    """Names a device instead of saying whether all will do."""

    any_device: ClassVar[str] = "cuda"


@breaks("pooling", "takes-signed")
@dataclass(frozen=True)
class Clamping(honest.Pooling):
    """Takes both signs and looks at one."""

    takes_signed: ClassVar[bool] = True

    def pool(self, maps):
        return super().pool(maps.clamp(min=0))
