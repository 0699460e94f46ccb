"""How long the body of a request may be, path by path. What is longer is refused before anything of it is parsed."""

from collections.abc import Mapping

# Most bodies are a few hundred bytes of JSON; ten thousand ids, the longest list but a manifest's, take 400 kB.
MAX_JSON_BYTES = 2**20
# What a form has beside its image: fields of at most a megabyte each, Starlette's own bound, and at most two of them.
FORM_BYTES = 3 * 2**20
# A manifest names at most a million items; an id with its quotes and comma takes 39 bytes.
MANIFEST_BYTES = 40 * 2**20
# An amendment names a hundred owners and roles in 300,000 characters each way, of up to four bytes (UTF-8).
AMENDMENT_BYTES = 3 * 2**20
# Several images of a check, as files or in base64.
CHECKS_BYTES = 40 * 2**20


def build_body_limits(max_image_bytes: int) -> Mapping[str, int]:
    """Return the longest body of each path whose bodies may be longer than `MAX_JSON_BYTES`.

    Args:
        max_image_bytes: of one encoded image.
    """
    one_image = max_image_bytes + FORM_BYTES
    # RFC 4648 section 4: base64 makes four characters of three bytes.
    one_in_base64 = (max_image_bytes + 2) // 3 * 4 + MAX_JSON_BYTES
    return {
        "/v1/items": one_image,
        "/v1/items/search": one_image,
        "/v1/search": one_image,
        "/v1/outputs/search": one_image,
        "/v1/checks": max(CHECKS_BYTES, one_image, one_in_base64),
        "/v1/items/{item_id}/amendments": AMENDMENT_BYTES,
        "/v1/items/{item_id}/signals": one_in_base64,
        "/v1/manifests": MANIFEST_BYTES,
        "/v1/manifests/{name}/membership": one_image,
    }
