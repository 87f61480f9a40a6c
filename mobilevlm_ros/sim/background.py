"""Floor, walls and ceiling of the room, ray-cast column by column and textured."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from mobilevlm_ros.navigation.pose import Pose
    from mobilevlm_ros.sim.camera import Camera
    from mobilevlm_ros.sim.world import Look, World

WALL_HEIGHT = 2.6  # metres
TEXELS = 128  # per texture side
FLOOR_TILE = 1.6  # metres that one floor texture covers
WALL_TILE = 2.6


@lru_cache(maxsize=64)
def textures(look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Floor and wall patterns, RGB uint8 [TEXELS, TEXELS, 3], fixed by the look."""
    rng = np.random.default_rng([look.texture, 3])
    return _pattern(look.floor, look.warmth, rng), _pattern(look.wall, look.warmth, rng)


def _pattern(colour: tuple[int, int, int], warmth: float, rng: np.random.Generator) -> np.ndarray:
    """Planks, tiles, a chequer or plain plaster, with some grain."""
    y, x = np.mgrid[:TEXELS, :TEXELS]
    n = int(rng.integers(2, 6))
    cell = TEXELS // n
    style = int(rng.integers(4))
    weight = np.ones((TEXELS, TEXELS))
    if style == 0:  # planks
        weight -= 0.22 * (x % cell < 2) + 0.05 * ((x // cell) % 2)
    elif style == 1:  # tiles with grout
        weight -= 0.20 * ((x % cell < 2) | (y % cell < 2))
    elif style == 2:  # chequer
        weight -= rng.uniform(0.08, 0.25) * ((x // cell + y // cell) % 2)
    coarse = cv2.resize(rng.standard_normal((16, 16)), (TEXELS, TEXELS))
    weight += 0.04 * coarse + 0.03 * rng.standard_normal(weight.shape)
    tint = np.array(colour, float) * (1 + np.array([0.06, 0, -0.06]) * warmth)
    return np.clip(weight[..., None] * tint, 0, 255).astype(np.uint8)


def _walls(world: World, pose: Pose, across: np.ndarray) -> tuple[np.ndarray, ...]:
    """Per column: forward distance to the wall, position along it and which wall.

    `across` is each column's sideways offset per metre forward, to the right.
    """
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    dx, dy = c + s * across, s - c * across
    with np.errstate(divide='ignore'):
        tx = np.where(dx > 0, world.width - pose.x, -pose.x) / dx
        ty = np.where(dy > 0, world.depth - pose.y, -pose.y) / dy
    hit_x = tx < ty
    t = np.maximum(np.where(hit_x, tx, ty), 0.02)
    along = np.where(hit_x, pose.y + t * dy, pose.x + t * dx)
    facing = np.where(hit_x, np.where(dx > 0, 0, 2), np.where(dy > 0, 1, 3))
    return t, along, facing


def draw_room(world: World, pose: Pose, camera: Camera) -> np.ndarray:
    """The empty room, RGB uint8 [h, w, 3]."""
    floor_texture, wall_texture = textures(world.look)
    across = ((np.arange(camera.width) - camera.width / 2 + 0.5) / camera.focal).astype(np.float32)
    down = (np.arange(camera.height_px) - camera.height_px / 2 + 0.5) / camera.focal
    down = down.astype(np.float32)[:, None]
    t, along, facing = (a.astype(np.float32) for a in _walls(world, pose, across))
    z = camera.height - down * t  # height above the floor at which each ray meets its wall
    is_floor = z < 0

    wall_x = np.broadcast_to(along * (TEXELS / WALL_TILE), z.shape)
    wall_y = (WALL_HEIGHT - z) * (TEXELS / WALL_TILE)
    forward = camera.height / np.maximum(down, 0.02)
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    floor_x = (pose.x + forward * (c + s * across)) * (TEXELS / FLOOR_TILE)
    floor_y = (pose.y + forward * (s - c * across)) * (TEXELS / FLOOR_TILE)

    image = _sample(wall_texture, wall_x, wall_y)
    light = 0.82 + 0.18 * np.cos(facing * (math.pi / 2) + math.pi - world.look.light_yaw)
    image = cv2.multiply(image, _as_image(light, z.shape), dtype=cv2.CV_8U)
    image[z > WALL_HEIGHT] = np.array(world.look.wall) * 0.5 + 110
    image[is_floor & (z > -0.08 * t)] //= 2  # the skirting's dark line
    floor = _sample(floor_texture, floor_x, floor_y)
    np.copyto(image, floor, where=(z < -0.02 * t)[..., None])
    return image


def _as_image(row: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (*shape, 3)), np.float32)


def _sample(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    maps = np.ascontiguousarray(x), np.ascontiguousarray(y)
    return cv2.remap(texture, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
