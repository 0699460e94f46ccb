"""The kinds of embedders, one a module; `shared.vision.embedding.registry` opens them."""
