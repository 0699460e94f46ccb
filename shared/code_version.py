"""The version of the code that made a result: of this distribution, and of the packages that figures depend on."""

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

# Packages whose version can change a pixel, a weight or a score.
DECISIVE_PACKAGES = ("torch", "diffusers", "numpy", "pillow", "scikit-image", "scipy", "numba", "open_clip_torch")


def code_version() -> str:
    """Return the version of Sleeve that is running."""
    return version("sleeve")


def package_versions() -> dict[str, str]:
    """Return the versions of those packages that figures depend on which are installed."""
    versions = {"sleeve": code_version()}
    for name in DECISIVE_PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
