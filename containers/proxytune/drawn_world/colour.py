"""Perceptual colours: CIE Lab and CIEDE2000."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# sRGB to CIE XYZ, and the white both are relative to (D65): IEC 61966-2-1.
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)


def to_lab(levels: npt.ArrayLike) -> Array:
    """Convert sRGB levels to CIE Lab.

    Args:
        levels: (..., 3), 0 to 255.

    Returns:
        (..., 3): lightness 0 to 100, green to red, blue to yellow.
    """
    share = np.asarray(levels, dtype=np.float64) / 255
    linear = np.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    relative = linear @ _TO_XYZ.T / _WHITE
    # The straight piece near black keeps the cube root's slope finite (CIE 15).
    curved = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = curved[..., 0], curved[..., 1], curved[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(first: npt.ArrayLike, second: npt.ArrayLike) -> Array:
    """Colour difference of Lab colours; about 1 is just visible, above 20 nobody calls them similar.

    The formula of CIE 142-2001 as Sharma, Wu and Dalal (2005) spell it out, with all weights 1.

    Args:
        first, second: (..., 3) Lab, shapes that broadcast.

    Returns:
        (...).
    """
    light1, a1, b1 = np.moveaxis(np.asarray(first, dtype=np.float64), -1, 0)
    light2, a2, b2 = np.moveaxis(np.asarray(second, dtype=np.float64), -1, 0)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1 + 0.5 * (1 - _saturating(mean_chroma))
    a1, a2 = a1 * stretch, a2 * stretch
    chroma1, chroma2 = np.hypot(a1, b1), np.hypot(a2, b2)
    hue1, hue2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = chroma1 * chroma2 == 0
    turn = np.where(grey, 0, (hue2 - hue1 + 180) % 360 - 180)
    # Exactly opposite hues count as +180, as in the published formula.
    turn = np.where((turn == -180) & (hue2 > hue1), 180.0, turn)
    apart = np.abs(hue1 - hue2) > 180
    middle = (hue1 + hue2) / 2 + np.where(apart, np.where(hue1 + hue2 < 360, 180, -180), 0)
    hue = np.where(grey, hue1 + hue2, middle)
    return _weighted(
        lightness=(light2 - light1, (light1 + light2) / 2),
        chroma=(chroma2 - chroma1, (chroma1 + chroma2) / 2),
        hue=(2 * np.sqrt(chroma1 * chroma2) * np.sin(np.radians(turn / 2)), hue),
    )


def _weighted(lightness: tuple[Array, Array], chroma: tuple[Array, Array], hue: tuple[Array, Array]) -> Array:
    """Differences, each with the mean it was taken at, into one number."""
    (d_light, light), (d_chroma, chrom), (d_hue, angle) = lightness, chroma, hue
    tint = (
        1
        - 0.17 * _cosine(angle - 30)
        + 0.24 * _cosine(2 * angle)
        + 0.32 * _cosine(3 * angle + 6)
        - 0.20 * _cosine(4 * angle - 63)
    )
    off_middle = (light - 50) ** 2
    by_light = d_light / (1 + 0.015 * off_middle / np.sqrt(20 + off_middle))
    by_chroma = d_chroma / (1 + 0.045 * chrom)
    by_hue = d_hue / (1 + 0.015 * chrom * tint)
    # Blues: hue and chroma are not independent there.
    swing = 60 * np.exp(-(((angle - 275) / 25) ** 2))
    crossed = -np.sin(np.radians(swing)) * 2 * _saturating(chrom) * by_chroma * by_hue
    return np.sqrt(by_light**2 + by_chroma**2 + by_hue**2 + crossed)


def _saturating(chroma: Array) -> Array:
    return np.sqrt(chroma**7 / (chroma**7 + 25.0**7))


def _cosine(degrees: Array) -> Array:
    return np.cos(np.radians(degrees))
