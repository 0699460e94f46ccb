"""What the endpoint of search by image is given: the search, which keeps hashes in memory between requests."""

from typing import Annotated

from fastapi import Depends, Request

from services.ingest.search.service import ImageSearch


def get_image_search(request: Request) -> ImageSearch:
    """Return the search over the workspace that the application serves."""
    search: ImageSearch = request.app.state.image_search
    return search


CurrentSearch = Annotated[ImageSearch, Depends(get_image_search)]
