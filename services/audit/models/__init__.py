"""Models in the record: trained here or elsewhere, each with the sealed manifest behind it."""
