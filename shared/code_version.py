"""Which code made a result: the distribution's version, and the versions of the packages that figures depend on."""

from importlib.metadata import version

# Packages whose version can change a pixel, a weight or a score.
DECISIVE_PACKAGES = ("torch", "diffusers", "numpy", "pillow", "scikit-image", "scipy", "numba", "open_clip_torch")


def code_version() -> str:
    """Return the version of Sleeve that is running."""
    return version("sleeve")


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that figures depend on."""
    return {"sleeve": code_version()} | {name: version(name) for name in DECISIVE_PACKAGES}
