"""What a presumed owner is presumed on, where records are told apart by it; without the database, for those that need none."""

# The image's own metadata names them.
EMBEDDED_BASIS = "embedded metadata"
