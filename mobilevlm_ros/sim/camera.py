"""The robot's pinhole camera: renders the room, its things and the sensor's faults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.background import draw_room
from mobilevlm_ros.sim.mesh import TINTS
from mobilevlm_ros.sim.things import COLOURS, Thing, mesh_of
from mobilevlm_ros.sim.world import Look, World

NEAR = 0.08  # metres, nothing nearer is drawn
SHIFT = 4  # fractional bits of OpenCV's polygon corners
SKIN = (214, 170, 140)
FRAME = (120, 92, 66)


@dataclass(frozen=True)
class Camera:
    """A forward-looking pinhole camera without distortion, `height` metres above the floor."""

    width: int = 320
    height_px: int = 320
    fov: float = math.radians(75)  # horizontal
    height: float = 0.6

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return self.width / 2 / math.tan(self.fov / 2)


@dataclass(frozen=True)
class Outline:
    """Where a thing's image would lie if nothing hid it: pixel box, may reach past the image."""

    left: float
    top: float
    right: float
    bottom: float
    drawn: int  # pixels drawn before nearer things covered some of them


@dataclass(frozen=True)
class View:
    """A rendered frame: RGB uint8 [h, w, 3]; ids int16 [h, w], -1 or an index of things."""

    image: np.ndarray
    ids: np.ndarray
    outlines: dict[int, Outline]


def render(
    world: World, pose: Pose, noise_seed: int | None = None, camera: Camera | None = None
) -> View:
    """What the robot's camera sees. Without a noise seed: a perfect sensor."""
    camera = camera or Camera()
    image = draw_room(world, pose, camera)
    ids = np.full(image.shape[:2], -1, np.int16)
    outlines = _draw_things(image, ids, world, pose, camera)
    if noise_seed is not None:
        image = expose(image, np.random.default_rng([noise_seed, 2]))
    return View(image, ids, outlines)


def to_camera(points: np.ndarray, pose: Pose, camera: Camera) -> np.ndarray:
    """World points [n, 3] to camera coordinates: right, down, forward, in metres."""
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    x, y = points[:, 0] - pose.x, points[:, 1] - pose.y
    return np.stack([s * x - c * y, camera.height - points[:, 2], c * x + s * y], 1)


def project(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Camera coordinates [..., 3] to pixels [..., 2]."""
    centre = (camera.width / 2 - 0.5, camera.height_px / 2 - 0.5)
    return points[..., :2] / points[..., 2:] * camera.focal + centre


def _draw_things(
    image: np.ndarray, ids: np.ndarray, world: World, pose: Pose, camera: Camera
) -> dict[int, Outline]:
    """Painter's algorithm over the things in front of the camera, farthest first."""
    ahead = []
    for i, thing in enumerate(world.things):
        corners = to_camera(thing.vertices(), pose, camera)
        if corners[:, 2].max() > NEAR:
            ahead.append((math.hypot(thing.x - pose.x, thing.y - pose.y), i, corners))
    ahead.sort(key=lambda item: (world.things[item[1]].kind != 'door', -item[0]))
    for _, i, _ in ahead:
        _draw_shadow(image, world.things[i], pose, camera)
    outlines = {}
    for _, i, corners in ahead:
        drawn = _paint(world.things[i], corners, pose, world.look, camera)
        for pixels, colour in drawn:
            cv2.fillConvexPoly(image, pixels, colour, shift=SHIFT)
            cv2.fillConvexPoly(ids, pixels, i, shift=SHIFT)
        outlines[i] = _outline(ids, i, corners, camera)
    return outlines


def _draw_shadow(image: np.ndarray, thing: Thing, pose: Pose, camera: Camera) -> None:
    """A soft-edged dark disc where the thing stands."""
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(16)], 1) * thing.radius * 1.15
    corners = to_camera(ring + np.array([thing.x, thing.y, 0]), pose, camera)
    if thing.kind == 'door' or corners[:, 2].min() < NEAR:
        return
    pixels = project(corners, camera)
    x0, y0 = np.maximum(np.floor(pixels.min(0)).astype(int), 0)
    x1, y1 = np.ceil(pixels.max(0)).astype(int) + 1
    patch = image[y0:y1, x0:x1]
    if patch.size:
        mask = np.ones(patch.shape[:2], np.float32)
        cv2.fillConvexPoly(mask, np.round(pixels - (x0, y0)).astype(np.int32), 0.62)
        np.multiply(patch, mask[..., None], out=patch, casting='unsafe')


def _paint(
    thing: Thing, corners: np.ndarray, pose: Pose, look: Look, camera: Camera
) -> list[tuple[np.ndarray, tuple[float, ...]]]:
    """The polygons of a thing and their colours, in the order in which they are painted."""
    mesh = mesh_of(thing.kind)
    faces = corners[mesh.quads]  # [m, 4, 3]
    centres = faces.mean(1)
    normals = np.cross(faces[:, 2] - faces[:, 0], faces[:, 3] - faces[:, 1])
    front = np.flatnonzero((normals * centres).sum(1) < 0)
    depth = np.linalg.norm(centres[front], axis=1)
    order = front[np.lexsort((-depth, mesh.layer[front]))]
    colours = _shade(thing, mesh.tint[order], normals[order], pose, look)
    polygons = _project_faces(faces[order], camera)
    return [(p, c) for p, c in zip(polygons, colours, strict=True) if len(p)]


def _project_faces(faces: np.ndarray, camera: Camera) -> list[np.ndarray]:
    """Faces [m, 4, 3] as fixed-point pixels for OpenCV, cut at the near plane where needed."""
    if faces[..., 2].min() > NEAR:
        return list(_fixed_point(project(faces, camera)))
    cut = [_clip_near(face) for face in faces]
    return [_fixed_point(project(face, camera)) if len(face) else face for face in cut]


def _fixed_point(pixels: np.ndarray) -> np.ndarray:
    return np.round(np.clip(pixels, -8000, 8000) * (1 << SHIFT)).astype(np.int32)


def _clip_near(face: np.ndarray) -> np.ndarray:
    """The part of a polygon [n, 3] that lies beyond the near plane."""
    inside = face[:, 2] >= NEAR
    points = []
    for i in range(len(face)):
        a, b = face[i - 1], face[i]
        if inside[i - 1] != inside[i]:
            points.append(a + (b - a) * (NEAR - a[2]) / (b[2] - a[2]))
        if inside[i]:
            points.append(b)
    return np.array(points)


def _shade(
    thing: Thing, tints: np.ndarray, normals: np.ndarray, pose: Pose, look: Look
) -> list[tuple[float, ...]]:
    """Lambert shading with one lamp; normals in camera coordinates."""
    angle = look.light_yaw - pose.yaw
    lamp = np.array([-math.sin(angle) * 0.6, -0.7, math.cos(angle) * 0.6])
    lamp /= np.linalg.norm(lamp)
    normals = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9)
    light = look.ambient + (1 - look.ambient) * (0.35 + 0.65 * normals @ lamp)
    own = np.array(COLOURS[thing.colour], float)
    palette = {'plain': own, 'dim': own * 0.8, 'dark': own * 0.55, 'skin': SKIN, 'frame': FRAME}
    base = np.array([palette[name] for name in TINTS])[tints]
    return [tuple(c) for c in np.clip(base * light[:, None], 0, 255)]


def _outline(ids: np.ndarray, index: int, corners: np.ndarray, camera: Camera) -> Outline:
    pixels = project(np.maximum(corners, [-1e9, -1e9, NEAR]), camera)
    (left, top), (right, bottom) = pixels.min(0), pixels.max(0)
    drawn = int(np.count_nonzero(ids == index))
    return Outline(float(left), float(top), float(right), float(bottom), drawn)


@cache
def _grain() -> np.ndarray:
    """Sensor noise of unit strength, float32; frames take shifted windows of it."""
    noise = np.random.default_rng(7).standard_normal((640, 640, 3))
    return noise.astype(np.float32)


def expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, exposure, white balance and noise of a real sensor."""
    blur = rng.uniform(0, 1.3)
    if blur > 0.35:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    gain = rng.uniform(0.65, 1.25) * (1 + rng.uniform(-0.06, 0.06, 3))
    h, w = image.shape[:2]
    grain = _grain()
    reps = [-(-n // 320) for n in (h, w)]
    if max(reps) > 1:
        grain = np.tile(grain, (*reps, 1))
    y, x = rng.integers(0, 320, 2)
    noise = grain[y : y + h, x : x + w] * np.float32(rng.uniform(0, 9))
    noise += image * gain.astype(np.float32)
    return np.clip(noise, 0, 255, out=noise).astype(np.uint8)
